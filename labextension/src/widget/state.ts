/**
 * What the kernel and all views of a chart have in common: `jupyter_training.notebook.plot`.
 */
import type { IWidgetModel } from './host';

export interface IState {
  /** All metrics that there are. */
  names: string[];
  /** Those that a person has chosen, and those that the kernel has drawn for that. */
  chosen: string[];
  shown: string[];
  is_log: boolean;
  smoothing: number;
  /** Whether the controls are seen. */
  is_open: boolean;
  /** What is said, in the language of whoever looks. */
  words?: Partial<IWords>;
}

export interface IWords {
  metrics: string;
  log: string;
  smoothing: string;
  /** With the place %1 for its number. */
  step: string;
  /** With the place %1 for the values. */
  chart: string;
}

const ENGLISH: IWords = {
  metrics: 'Metrics',
  log: 'Log scale',
  smoothing: 'Smoothing',
  step: 'step %1',
  chart: 'Chart. Last values: %1'
};

/** A word, with a value in its place if it has one. */
export function word(
  model: IWidgetModel<IState>,
  name: keyof IWords,
  value = ''
): string {
  const text = model.get('words')?.[name] ?? ENGLISH[name];
  return text.replace('%1', () => value);
}
