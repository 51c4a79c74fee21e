/**
 * How jobs are created: from the dialog, and from cells.
 */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Clipboard, Dialog, Notification } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import {
  INotebookTracker,
  NotebookActions,
  type NotebookPanel
} from '@jupyterlab/notebook';
import { IStateDB } from '@jupyterlab/statedb';
import type { ReadonlyJSONObject } from '@lumino/coreutils';

import { trainingIcon } from '../icon';

import { EXAMPLE } from '../model/example';
import type { IFormValues } from '../create/form';
import { createArguments, NO_ARGUMENTS } from './arguments';
import { attempt } from './attempt';
import { IEnvironment } from './environment';

const REMEMBERED = 'jupyter-training:form';
/** The kernel that runs in the environment of the server. */
const NATIVE_KERNEL = 'python3';
const LOAD = '%load_ext jupyter_training';

export const createPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-training:create',
  description: 'The dialog that creates training jobs.',
  autoStart: true,
  requires: [IEnvironment],
  optional: [IDefaultFileBrowser, INotebookTracker, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    environment: IEnvironment,
    browser: IDefaultFileBrowser | null,
    notebooks: INotebookTracker | null,
    state: IStateDB | null
  ): void => {
    const { model, trans } = environment;

    async function remembered(): Promise<IFormValues> {
      const known = (await state?.fetch(REMEMBERED)) as
        Partial<IFormValues> | undefined;
      const { EMPTY } = await import('../create/form');
      return { ...EMPTY, ...known };
    }

    /** What was typed of a new job and not submitted: a click beside the dialog is enough for that. */
    let draft: IFormValues | null = null;

    async function create(values: IFormValues, isNew = false): Promise<void> {
      const [{ CreateDialog }, { remembered: toRemember }] = await Promise.all([
        import('../create/dialog'),
        import('../create/form')
      ]);
      const dialog = new CreateDialog(environment, values);
      await dialog.launch();
      const { job } = dialog;
      if (isNew) {
        draft = job === null ? dialog.values : null;
      }
      if (job === null) {
        return;
      }
      void state?.save(
        REMEMBERED,
        toRemember(dialog.values) as unknown as ReadonlyJSONObject
      );
      model.put(job);
      Notification.success(trans.__('“%1” is in the queue.', job.name), {
        autoClose: 5000,
        actions: [
          {
            label: trans.__('Open'),
            callback: () =>
              environment.execute('training:open', { job: job.job_id })
          }
        ]
      });
    }

    /** The Python of a notebook's kernel, if that is not the one of the server. */
    async function pythonOf(path: string): Promise<string | undefined> {
      if (!path.endsWith('.ipynb')) {
        return undefined;
      }
      const { contents, kernelspecs } = app.serviceManager;
      const panel = notebooks?.find(one => one.context.path === path);
      const metadata = panel
        ? panel.context.model.metadata
        : (await contents.get(path)).content.metadata;
      const name = metadata?.kernelspec?.name as string | undefined;
      const spec = kernelspecs.specs?.kernelspecs[name ?? NATIVE_KERNEL];
      return name !== NATIVE_KERNEL &&
        spec?.language === 'python' &&
        spec.argv[0]?.startsWith('/')
        ? spec.argv[0]
        : undefined;
    }

    async function createFor(path: string): Promise<void> {
      const { valuesForFile } = await import('../create/sources');
      const [values, python] = await Promise.all([
        remembered(),
        pythonOf(path)
      ]);
      await create({ ...values, ...valuesForFile(path, python) });
    }

    async function createLike(id: string): Promise<void> {
      const { valuesOf } = await import('../create/sources');
      await create(valuesOf(await model.api.spec(id)));
    }

    app.commands.addCommand('training:create', {
      label: trans.__('Create Training Job…'),
      caption: trans.__('Run a script or a program as a training job'),
      icon: args => (args.isPalette ? undefined : trainingIcon),
      describedBy: createArguments(trans),
      execute: async args =>
        attempt(trans, async () => {
          if (typeof args.path === 'string' && args.path) {
            await createFor(args.path);
          } else if (typeof args.like === 'string' && args.like) {
            await createLike(args.like);
          } else {
            await create(draft ?? (await remembered()), true);
          }
        })
    });
    app.commands.addCommand('training:create-from-file', {
      label: trans.__('Run as Training Job…'),
      caption: trans.__('Run this file as a training job'),
      icon: trainingIcon,
      describedBy: NO_ARGUMENTS,
      isVisible: () => browser !== null,
      execute: async () => {
        const item = browser?.selectedItems().next().value;
        if (item) {
          await createFor(item.path);
        }
      }
    });
    app.commands.addCommand('training:create-from-notebook', {
      caption: trans.__('Run this notebook as a training job'),
      label: trans.__('Run Notebook as Training Job…'),
      icon: trainingIcon,
      describedBy: NO_ARGUMENTS,
      isEnabled: () => Boolean(notebooks?.currentWidget),
      execute: async () => {
        const panel = notebooks?.currentWidget;
        if (panel) {
          if (panel.context.model.dirty) {
            // The job reads the file.
            await panel.context.save();
          }
          await createFor(panel.context.path);
        }
      }
    });
    async function openNotebook(): Promise<NotebookPanel | null> {
      const current = notebooks?.currentWidget;
      if (current) {
        app.shell.activateById(current.id);
        return current;
      }
      if (!app.commands.hasCommand('notebook:create-new')) {
        return null;
      }
      const kernelName = app.serviceManager.kernelspecs.specs?.default;
      const panel = (await app.commands.execute('notebook:create-new', {
        kernelName,
        activate: true
      })) as NotebookPanel;
      await panel.context.ready;
      await panel.revealed;
      return panel;
    }

    app.commands.addCommand('training:insert-example', {
      label: trans.__('Insert Example of a Training Cell'),
      caption: trans.__(
        'Insert a cell that becomes a training job into the notebook'
      ),
      describedBy: NO_ARGUMENTS,
      execute: async () => {
        const panel = await openNotebook();
        if (panel === null) {
          await copy(EXAMPLE);
          return;
        }
        const notebook = panel.content;
        const isLoaded = notebook.widgets.some(cell =>
          cell.model.sharedModel.getSource().includes(LOAD)
        );
        for (const source of isLoaded ? [EXAMPLE] : [LOAD, EXAMPLE]) {
          const isBlank =
            notebook.activeCell?.model.sharedModel.getSource() === '';
          if (!isBlank) {
            NotebookActions.insertBelow(notebook);
          }
          notebook.activeCell?.model.sharedModel.setSource(source.trimEnd());
        }
        if (!isLoaded) {
          NotebookActions.selectAbove(notebook);
        }
      }
    });

    async function copy(text: string): Promise<void> {
      Clipboard.copyToSystem(text);
      await new Dialog({
        title: trans.__('Copied'),
        body: trans.__('Paste it into a cell of a notebook.'),
        buttons: [Dialog.okButton()]
      }).launch();
    }
  }
};
