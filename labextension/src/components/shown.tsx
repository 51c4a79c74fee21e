/**
 * Widgets that do something only as long as somebody can see them.
 */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import React, { useCallback, useSyncExternalStore } from 'react';

import { Shown } from './context';

export abstract class ShownWidget extends ReactWidget {
  constructor() {
    super();
    document.addEventListener('visibilitychange', this.look);
  }

  /** Whether it can be seen has changed. */
  readonly shownChanged = new Signal<this, void>(this);

  /** Whether it can be seen, and the page with it. */
  get isShown(): boolean {
    return this.watching !== null;
  }

  override dispose(): void {
    document.removeEventListener('visibilitychange', this.look);
    this.stop();
    super.dispose();
    Signal.clearData(this);
  }

  /** What is done as long as it can be seen. */
  protected abstract watch(): IDisposable;

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.look();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.look();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.look();
  }

  protected override onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.stop();
  }

  private readonly look = (): void => {
    if (!this.isVisible || document.hidden) {
      this.stop();
    } else if (this.watching === null) {
      this.watching = this.watch();
      this.shownChanged.emit();
    }
  };

  private stop(): void {
    if (this.watching !== null) {
      this.watching.dispose();
      this.watching = null;
      this.shownChanged.emit();
    }
  }

  private watching: IDisposable | null = null;
}

/** Tells the parts of a widget whether it can be seen. */
export function WhileShown(props: {
  widget: ShownWidget;
  children: React.ReactNode;
}): React.JSX.Element {
  const { widget } = props;
  // At once: there is no next frame in a page that is hidden.
  const isShown = useSyncExternalStore(
    useCallback(
      changed => {
        widget.shownChanged.connect(changed);
        return () => void widget.shownChanged.disconnect(changed);
      },
      [widget]
    ),
    () => widget.isShown
  );
  return <Shown.Provider value={isShown}>{props.children}</Shown.Provider>;
}
