/**
 * Tells of what happens to jobs without a person's doing.
 */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';

import { isNews, isWanted, notice } from '../model/notices';
import type { IJobEvent } from '../model/types';
import { IEnvironment } from './environment';

export const notificationsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-training:notifications',
  description: 'Tells of what happens to training jobs.',
  autoStart: true,
  requires: [IEnvironment],
  activate: (app: JupyterFrontEnd, environment: IEnvironment): void => {
    const { model, trans } = environment;

    /** By the jobs, what was told last: of a job only the newest is of use. */
    const told = new Map<string, string>();

    async function tell(event: IJobEvent): Promise<void> {
      const { change } = event;
      if (!isNews(change, event.cause, Boolean(event.parent_id))) {
        return;
      }
      let { name, reason } = event;
      if (name === null) {
        // Where users share a server, an event does not say whose job it is about.
        const job = await model.api.job(event.job_id).catch(() => null);
        if (
          job === null ||
          !isNews(change, job.cause, job.parent_id !== null)
        ) {
          return;
        }
        ({ name, reason } = job);
      }
      if (reason && change !== 'completed') {
        const { worded } = await import('../model/sentences');
        reason = worded(reason, trans);
      }
      const { mood, text, stays } = notice(change, name, reason, trans);
      Notification.dismiss(told.get(event.job_id) ?? '');
      const id = Notification[mood](text, {
        autoClose: stays ? false : 8000,
        actions: [
          {
            label: trans.__('Open log'),
            callback: () =>
              environment.execute('training:open-log', { job: event.job_id })
          }
        ]
      });
      told.set(event.job_id, id);
    }

    model.jobChanged.connect((_, event) => {
      if (isWanted(event.change, environment.settings.notifications)) {
        void tell(event);
      }
    });
  }
};
