/**
 * What can be done with a job, and the views of jobs in the main area.
 */
import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  Clipboard,
  Dialog,
  MainAreaWidget,
  showDialog,
  WidgetTracker
} from '@jupyterlab/apputils';

import { trainingIcon } from '../icon';
import { progressOf } from '../model/times';
import {
  ACTIVE,
  ENDED,
  hasCurves,
  type IJob,
  type JobStatus
} from '../model/types';
import { statusWord } from '../model/words';
import type { CompareView } from '../views/compare';
import type { JobView, TabName } from '../views/jobview';
import { compareArguments, jobArgument, openArguments } from './arguments';
import { attempt } from './attempt';
import { IEnvironment } from './environment';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- is used at once
import { whichJob } from './which';

/** Where no jobs are named: so many of the latest, of those that have measured something. */
const COMPARED = 5;
const LOOKED_AT = 50;

export const jobsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-training:jobs',
  description: 'Views of training jobs, and what can be done with them.',
  autoStart: true,
  requires: [IEnvironment],
  optional: [ILayoutRestorer, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    environment: IEnvironment,
    restorer: ILayoutRestorer | null,
    labShell: ILabShell | null
  ): void => {
    const { model, trans } = environment;
    const { api } = model;
    // Jupyter Notebook has one document in its main area, and room below it.
    const area = labShell === null ? 'down' : 'main';
    const views = new WidgetTracker<MainAreaWidget<JobView>>({
      namespace: 'jupyter-training-jobs'
    });
    const comparisons = new WidgetTracker<MainAreaWidget<CompareView>>({
      namespace: 'jupyter-training-comparisons'
    });

    function place(widget: MainAreaWidget): void {
      if (area === 'down') {
        // That room is only as high as what is in it has to be.
        widget.content.addClass('jp-mod-below');
      }
      app.shell.add(widget, area);
    }

    const which = whichJob(app, environment, () => {
      const current = views.currentWidget;
      return current && current === app.shell.currentWidget
        ? current.content.job.job
        : null;
    });

    async function open(id: string, tab?: TabName): Promise<void> {
      const { JobView } = await import('../views/jobview');
      const known = views.find(widget => widget.content.jobId === id);
      if (known) {
        if (tab) {
          known.content.tab = tab;
        }
        app.shell.activateById(known.id);
        return;
      }
      const content = new JobView(environment, id, tab);
      const widget = new MainAreaWidget({ content });
      widget.toolbar.hide();
      widget.id = `jupyter-training-${id}`;
      widget.title.icon = trainingIcon;
      widget.title.label = content.job.job?.name ?? id;
      widget.title.closable = true;
      content.job.changed.connect(() => {
        const { job } = content.job;
        if (job) {
          widget.title.label = job.name;
          widget.title.caption = `${job.name}\n${statusWord(job.status, trans)}\n${id}`;
        }
      });
      content.tabChanged.connect(() => void views.save(widget));
      place(widget);
      void views.add(widget);
      app.shell.activateById(widget.id);
    }

    async function isMeant(
      title: string,
      body: string,
      label: string
    ): Promise<boolean> {
      const answer = await showDialog({
        title,
        body,
        buttons: [
          Dialog.cancelButton({ label: trans.__('Keep it') }),
          Dialog.warnButton({ label })
        ],
        defaultButton: 0
      });
      return answer.button.accept;
    }

    /** Add a command that is about one job, perhaps only of certain statuses. */
    function add(
      name: string,
      label: string,
      caption: string,
      execute: (job: IJob) => Promise<void>,
      statuses?: readonly JobStatus[]
    ): void {
      app.commands.addCommand(name, {
        label,
        caption,
        describedBy: jobArgument(trans),
        isEnabled: args => {
          const id = which.told(args);
          const job = id === null ? undefined : model.find(id);
          return !job || (statuses?.includes(job.status) ?? true);
        },
        execute: async args =>
          attempt(trans, async () => {
            const job = await which.chosen(args, statuses);
            if (job !== null) {
              await execute(job);
            }
          })
      });
    }

    app.commands.addCommand('training:open', {
      label: trans.__('Open Training Job'),
      caption: trans.__('Show all about a training job'),
      describedBy: openArguments(trans),
      execute: async args =>
        attempt(trans, async () => {
          // One that is not there any more is told of in its view.
          const id =
            which.told(args) ?? (await which.chosen(args))?.job_id ?? null;
          if (id !== null) {
            await open(id, args.tab as TabName | undefined);
          }
        })
    });
    add(
      'training:open-log',
      trans.__('View Log'),
      trans.__('Show what a training job prints'),
      async job => open(job.job_id, 'log')
    );
    add(
      'training:open-outputs',
      trans.__('Show Results'),
      trans.__(
        'Show what a training job has left, in the file browser if it can be seen there'
      ),
      async job => {
        if (
          job.output_browser_path !== null &&
          app.commands.hasCommand('filebrowser:go-to-path')
        ) {
          await app.commands.execute('filebrowser:go-to-path', {
            path: job.output_browser_path
          });
        } else {
          await open(job.job_id, 'outputs');
        }
      }
    );
    add(
      'training:cancel',
      trans.__('Cancel Training Job'),
      trans.__('End a training job and all its processes'),
      async job => {
        const hurts =
          job.status === 'running' && environment.settings.confirmCancel;
        const progress = progressOf(job);
        const text = [
          progress !== null && trans.__('It has done %1 %.', progress),
          trans.__('It gets time to save its work, and then it is ended.')
        ]
          .filter(Boolean)
          .join(' ');
        if (
          !hurts ||
          (await isMeant(
            trans.__('Cancel “%1”?', job.name),
            text,
            trans.__('Cancel the job')
          ))
        ) {
          model.put(await api.cancel(job.job_id));
        }
      },
      ACTIVE
    );
    add(
      'training:retry',
      trans.__('Run Training Job Again'),
      trans.__('Put a training job that has ended into the queue again'),
      async job => model.put(await api.retry(job.job_id)),
      ENDED
    );
    add(
      'training:duplicate',
      trans.__('Duplicate and Edit…'),
      trans.__('Create a training job like another one'),
      async job =>
        void (await app.commands.execute('training:create', {
          like: job.job_id
        }))
    );
    add(
      'training:delete',
      trans.__('Delete Training Job…'),
      trans.__('Delete a training job that has ended, its log and its files'),
      async job => {
        if (
          await isMeant(
            trans.__('Delete “%1”?', job.name),
            trans.__(
              'Its log, its metrics and its results are deleted too. This cannot be undone.'
            ),
            trans.__('Delete')
          )
        ) {
          await api.delete(job.job_id);
          model.remove(job.job_id);
          views.find(widget => widget.content.jobId === job.job_id)?.close();
        }
      },
      ENDED
    );
    add(
      'training:copy-id',
      trans.__('Copy Job ID'),
      trans.__('Copy the id of a training job'),
      async job => Clipboard.copyToSystem(job.job_id)
    );
    app.commands.addCommand('training:compare', {
      label: trans.__('Compare Training Jobs'),
      caption: trans.__(
        'Show the metrics of several training jobs in one chart'
      ),
      describedBy: compareArguments(trans),
      execute: async args =>
        attempt(trans, async () => {
          const ids =
            typeof args.jobs === 'string' && args.jobs
              ? args.jobs.split(',')
              : (await api.jobs({ limit: LOOKED_AT }))
                  .filter(hasCurves)
                  .slice(0, COMPARED)
                  .map(job => job.job_id);
          const { CompareView } = await import('../views/compare');
          const content = new CompareView(environment, ids);
          const widget = new MainAreaWidget({ content });
          widget.toolbar.hide();
          widget.title.icon = trainingIcon;
          widget.title.label = trans.__('Comparison of %1 jobs', ids.length);
          widget.title.closable = true;
          place(widget);
          void comparisons.add(widget);
          app.shell.activateById(widget.id);
        })
    });

    void restorer?.restore(views, {
      command: 'training:open',
      args: ({ content }) => ({ job: content.jobId, tab: content.tab }),
      name: ({ content }) => content.jobId
    });
    void restorer?.restore(comparisons, {
      command: 'training:compare',
      args: ({ content }) => ({ jobs: content.jobIds.join(',') }),
      name: ({ content }) => content.jobIds.join(',')
    });
  }
};
