/**
 * How many jobs run and wait, in the status bar.
 */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

// eslint-disable-next-line jupyter/prefer-lazy-imports -- is shown or used at once
import { useSignal } from '../components/context';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- is shown or used at once
import { summary } from '../components/gpus';
import { trainingIcon } from '../icon';
import { IEnvironment } from './environment';

export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-training:status',
  description: 'How many training jobs run and wait, in the status bar.',
  autoStart: true,
  requires: [IEnvironment],
  optional: [IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    environment: IEnvironment,
    statusBar: IStatusBar | null
  ): void => {
    if (statusBar === null) {
      return;
    }
    const { model, settingsChanged } = environment;
    const item = ReactWidget.create(<StatusItem environment={environment} />);
    statusBar.registerStatusItem('jupyter-training:status', {
      item,
      align: 'left',
      rank: 610,
      isActive: () => environment.settings.statusBar && model.state.loaded,
      activeStateChanged: settingsChanged
    });
    // Once; afterwards events tell, without asking.
    void app.restored.then(() => model.refresh());
    let wasLoaded = false;
    model.changed.connect(() => {
      if (model.state.loaded !== wasLoaded) {
        wasLoaded = model.state.loaded;
        settingsChanged.emit();
      }
    });
  }
};

function StatusItem({
  environment
}: {
  environment: IEnvironment;
}): React.JSX.Element {
  const { model, trans } = environment;
  useSignal(model.changed);
  const text = summary(model, trans);
  return (
    <button
      type="button"
      className="jp-Training-statusItem"
      title={trans.__('Training jobs')}
      aria-label={trans.__('Training jobs: %1', text)}
      onClick={() => environment.execute('training:show-panel')}
    >
      <trainingIcon.react tag="span" width="14px" height="14px" />
      <span>{text}</span>
    </button>
  );
}
