/**
 * The rows that say of which stages a pipeline consists.
 */
import type { IKept, IStageSpec } from '../model/types';
import { commandText } from './command';
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
  kept?: IKept;
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

/** Whether nothing is typed into a row. */
export function isBlankStage(row: IStageRow): boolean {
  return !row.name.trim() && !row.command.trim();
}

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
    if (isBlankStage(row)) {
      return;
    }
    const gpus = row.gpus.trim();
    const runs = command || row.kept?.stages?.length;
    if (!name || !runs || !/^\d*$/.test(gpus)) {
      mistakes[`stages.${place}`] = 'stage';
    }
    stages.push({
      ...(row.kept as Partial<IStageSpec> | undefined),
      name,
      ...(command ? { command } : {}),
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

/** Rows that describe stages. */
export function rowsOfStages(stages: readonly IStageSpec[]): IStageRow[] {
  return stages.map(({ name, command, depends_on, gpu_count, ...kept }) => ({
    name,
    command: commandText(command),
    after: (depends_on ?? []).join(', '),
    gpus: String(gpu_count ?? ''),
    kept
  }));
}
