import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';

import { trainingIcon } from '../icon';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- is shown or used at once
import { TrainingPanel } from '../views/panel';
import { NO_ARGUMENTS } from './arguments';
import { IEnvironment } from './environment';

/** Third-party sidebars are between 501 and 899. */
const RANK = 610;

export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-training:panel',
  description: 'The sidebar with the training jobs.',
  autoStart: true,
  requires: [IEnvironment],
  optional: [ICommandPalette, ILauncher, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    environment: IEnvironment,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const { trans } = environment;
    const panel = new TrainingPanel(environment);
    panel.title.icon = trainingIcon;
    panel.title.caption = trans.__('Training jobs');
    app.shell.add(panel, 'left', { rank: RANK, type: 'Training jobs' });
    restorer?.add(panel, panel.id);
    // The menu of a row takes the focus, and would leave it to nobody.
    app.contextMenu.menu.aboutToClose.connect(() => panel.regainFocus());

    app.commands.addCommand('training:show-panel', {
      label: trans.__('Show Training Jobs'),
      caption: trans.__(
        'Show the sidebar with the queue, the GPUs and every job'
      ),
      icon: trainingIcon,
      describedBy: NO_ARGUMENTS,
      execute: () => app.shell.activateById(panel.id)
    });
    app.commands.addCommand('training:refresh', {
      label: trans.__('Refresh Training Jobs'),
      caption: trans.__('Ask the server again for all jobs'),
      describedBy: NO_ARGUMENTS,
      execute: () => environment.model.refresh()
    });
    const category = trans.__('Training jobs');
    for (const command of [
      'training:show-panel',
      'training:refresh',
      'training:create',
      'training:create-from-notebook',
      'training:insert-example',
      'training:open',
      'training:open-log',
      'training:open-outputs',
      'training:cancel',
      'training:retry',
      'training:duplicate',
      'training:copy-id',
      'training:delete',
      'training:compare'
    ]) {
      palette?.addItem({ command, category });
    }
    launcher?.add({
      command: 'training:create',
      category: trans.__('Other'),
      rank: 100
    });
  }
};
