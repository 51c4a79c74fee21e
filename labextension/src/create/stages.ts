/**
 * The rows that say of which stages a pipeline consists.
 */
import type { IKept, IStageSpec } from '../model/types';
import type { Mistake } from './form';

/** One stage, as it is typed. */
export interface IStageRow {
  name: string;
  command: string;
  /** The names of those that it goes after, separated by commas. */
  after: string;
  /** Empty for what is said of the whole pipeline. */
  gpus: string;
  /** Of a stage like another one, what nobody types. */
  kept?: Omit<IKept, 'search'>;
}

export const NEW_STAGE: IStageRow = {
  name: '',
  command: '',
  after: '',
  gpus: ''
};

export const EMPTY_STAGES: IStageRow[] = [
  { ...NEW_STAGE, name: 'prepare', command: 'python prepare.py' },
  { ...NEW_STAGE, name: 'fit', command: 'python fit.py', after: 'prepare' }
];

/** The stages that the rows describe; the mistakes by `stages.0`, `stages.1` and so on. */
export function readStages(rows: readonly IStageRow[]): {
  stages: IStageSpec[];
  mistakes: Record<string, Mistake>;
} {
  const stages: IStageSpec[] = [];
  const mistakes: Record<string, Mistake> = {};
  rows.forEach((row, place) => {
    const name = row.name.trim();
    const command = row.command.trim();
    if (!name && !command) {
      return;
    }
    const gpus = row.gpus.trim();
    if (!name || !command || !/^\d*$/.test(gpus)) {
      mistakes[`stages.${place}`] = 'stage';
    }
    stages.push({
      ...row.kept,
      name,
      command,
      depends_on: row.after
        .split(',')
        .map(one => one.trim())
        .filter(Boolean),
      ...(gpus ? { gpu_count: Number(gpus) } : {})
    });
  });
  if (!stages.length) {
    mistakes.stages = 'missing';
  }
  return { stages, mistakes };
}
