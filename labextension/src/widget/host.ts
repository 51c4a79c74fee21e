/**
 * What a widget finds in its host, be it JupyterLab, Notebook or VS Code: anywidget's contract
 * (https://anywidget.dev/en/afm), and no more.
 */
export interface IWidgetModel<State> {
  get<Key extends keyof State>(key: Key): State[Key];
  set<Key extends keyof State>(key: Key, value: State[Key]): void;
  save_changes(): void;
  send(content: object): void;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
}

export interface IRenderProps<State> {
  model: IWidgetModel<State>;
  el: HTMLElement;
}

/** Call something on an event until the result is called. */
export function listen<State>(
  model: IWidgetModel<State>,
  event: string,
  callback: (...args: never[]) => void
): () => void {
  model.on(event, callback);
  return () => model.off(event, callback);
}
