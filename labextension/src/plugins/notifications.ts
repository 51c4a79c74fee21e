/**
 * Tells when a job has ended.
 */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';

import type { IJobEvent } from '../model/types';
import { IEnvironment } from './environment';

export const notificationsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-training:notifications',
  description: 'Tells when a training job has ended.',
  autoStart: true,
  requires: [IEnvironment],
  activate: (app: JupyterFrontEnd, environment: IEnvironment): void => {
    const { model, trans } = environment;

    async function tell(event: IJobEvent): Promise<void> {
      const { notifications } = environment.settings;
      if (notifications === 'none') {
        return;
      }
      if (event.parent_id) {
        return; // its parent is told of when all of it has ended
      }
      let { name, status, reason } = event;
      if (name === null || status === null) {
        // Where users share a server, an event does not say whose job it is about.
        if (!['completed', 'failed'].includes(event.change)) {
          return;
        }
        const job = await model.api.job(event.job_id).catch(() => null);
        if (job === null || job.parent_id !== null) {
          return;
        }
        ({ name, status, reason } = job);
      }
      const options = {
        autoClose: status === 'failed' ? (false as const) : 8000,
        actions: [
          {
            label: trans.__('Open log'),
            callback: () =>
              environment.execute('training:open-log', { job: event.job_id })
          }
        ]
      };
      if (status === 'failed') {
        const { worded } = await import('../model/sentences');
        Notification.error(
          reason
            ? trans.__('“%1” has failed: %2', name, worded(reason, trans))
            : trans.__('“%1” has failed.', name),
          options
        );
      } else if (status === 'completed' && notifications === 'all') {
        Notification.success(trans.__('“%1” is completed.', name), options);
      }
    }

    model.jobChanged.connect((_, event) => {
      if (event.change === 'completed' || event.change === 'failed') {
        void tell(event);
      }
    });
  }
};
