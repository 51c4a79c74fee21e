/**
 * Which job a command is about.
 */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog, Notification } from '@jupyterlab/apputils';

import type { JobsModel } from '../model/jobs';
import type { IJob, JobStatus } from '../model/types';
import { statusWord } from '../model/words';
import type { IEnvironment } from './environment';

const OFFERED = 50;

export interface IArgs {
  job?: unknown;
  /** Whether it is called from the menu of a row: only there is what was clicked last what is meant. */
  ofRow?: unknown;
}

export interface IWhich {
  /** The id that is told by the arguments or by the row whose menu it is; null if none is. */
  told: (args: IArgs) => string | null;
  /** The job that is told, else the one in the current view, else the one that somebody chooses. */
  chosen: (
    args: IArgs,
    statuses?: readonly JobStatus[]
  ) => Promise<IJob | null>;
}

/**
 * @param viewed - The job of the view that is the current widget; null if it is none.
 */
export function whichJob(
  app: JupyterFrontEnd,
  { model, trans }: Pick<IEnvironment, 'model' | 'trans'>,
  viewed: () => IJob | null
): IWhich {
  const told = (args: IArgs): string | null => {
    if (typeof args.job === 'string' && args.job) {
      return args.job;
    }
    // The application keeps the last click of the right button for ever.
    return args.ofRow === true
      ? (app.contextMenuHitTest(node => node.dataset.job !== undefined)?.dataset
          .job ?? null)
      : null;
  };
  return {
    told,
    chosen: async (args, statuses) => {
      const id = told(args);
      if (id !== null) {
        return known(model, id);
      }
      const current = viewed();
      if (current && (statuses?.includes(current.status) ?? true)) {
        return current;
      }
      const jobs = await model.api.jobs({ limit: OFFERED, statuses });
      if (!jobs.length) {
        Notification.info(
          trans.__('There is no training job for which this can be done.'),
          { autoClose: 3000 }
        );
        return null;
      }
      const labels = jobs.map(
        job => `${job.name} · ${statusWord(job.status, trans)} · ${job.job_id}`
      );
      const { button, value } = await InputDialog.getItem({
        title: trans.__('Training job'),
        items: labels
      });
      return button.accept && value !== null
        ? (jobs[labels.indexOf(value)] ?? null)
        : null;
    }
  };
}

async function known(model: JobsModel, id: string): Promise<IJob> {
  return model.find(id) ?? model.api.job(id);
}
