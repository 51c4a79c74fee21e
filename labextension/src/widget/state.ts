/**
 * What the kernel and all views of a chart have in common: `jupyter_training.notebook.plot`.
 */
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
}
