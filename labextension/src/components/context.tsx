/**
 * What components need besides what they show.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import React, {
  createContext,
  useContext,
  useEffect,
  useReducer,
  useState
} from 'react';

import type { Connect } from '../log/follower';
import { withNumbers } from '../model/cards';
import type { JobsModel } from '../model/jobs';
import { worded } from '../model/sentences';

export interface ITraining {
  trans: TranslationBundle;
  /** The language tag for dates and numbers. */
  locale: string | undefined;
  model: JobsModel;
  connect: Connect;
  /** Run a command of the application. */
  execute: (command: string, args?: Record<string, string>) => void;
  /** Do something, and tell if the server did not let it be done. */
  attempt: (action: () => Promise<void>) => Promise<void>;
  /** Copy a text to the clipboard. */
  copy: (text: string) => void;
  /** The URL of a path below the server's base URL, as a link. */
  link: (path: string) => string;
}

const Context = createContext<ITraining | null>(null);

export const TrainingProvider = Context.Provider;

export function useTraining(): ITraining {
  const training = useContext(Context);
  if (training === null) {
    throw new Error('There is no TrainingProvider around this component');
  }
  return training;
}

/** A sentence of the server as its reader understands it best. */
export function told(
  sentence: string,
  { trans, model }: Pick<ITraining, 'trans' | 'model'>
): string {
  return withNumbers(worded(sentence, trans), model.machines);
}

/** Whether what is around can be seen; while it cannot, its parts fetch and draw nothing by themselves. */
export const Shown = createContext(true);

type Signals = (ISignal<unknown, unknown> | undefined)[];

/** Render again whenever a signal is emitted, at most once per frame. */
export function useSignal(...signals: Signals): void {
  usePacedSignal(0, ...signals);
}

/** Render again whenever a signal is emitted, at most once in a time (ms). */
export function usePacedSignal(leastMs: number, ...signals: Signals): void {
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    let frame = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let drawn = -Infinity;
    const draw = (): void => {
      frame = 0;
      drawn = performance.now();
      render();
    };
    const request = (): void => {
      timer = undefined;
      frame = requestAnimationFrame(draw);
    };
    const again = (): void => {
      if (frame || timer !== undefined) {
        return;
      }
      const wait = drawn + leastMs - performance.now();
      if (wait > 0) {
        timer = setTimeout(request, wait);
      } else {
        request();
      }
    };
    signals.forEach(signal => signal?.connect(again));
    return () => {
      clearTimeout(timer);
      cancelAnimationFrame(frame);
      signals.forEach(signal => signal?.disconnect(again));
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, signals);
}

/** The time, again after each period while something depends on it and can be seen. */
export function useNow(periodMs: number | null): Date {
  const [now, setNow] = useState(() => new Date());
  const isShown = useContext(Shown);
  useEffect(() => {
    if (periodMs === null || !isShown) {
      return;
    }
    const tick = (): void => setNow(new Date());
    tick();
    const timer = setInterval(tick, periodMs);
    return () => clearInterval(timer);
  }, [periodMs, isShown]);
  return now;
}

/** A button of JupyterLab's look. */
export function Button(props: {
  children: React.ReactNode;
  onClick: () => void;
  kind?: 'accept' | 'warn' | 'plain';
  title?: string;
  disabled?: boolean;
  pressed?: boolean;
}): React.JSX.Element {
  return (
    <button
      type="button"
      className={`jp-mod-styled jp-Training-button jp-mod-${props.kind ?? 'plain'}`}
      title={props.title}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      {props.children}
    </button>
  );
}
