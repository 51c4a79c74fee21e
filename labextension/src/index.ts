/**
 * Training jobs in JupyterLab.
 */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { createPlugin } from './plugins/create';
import { environmentPlugin } from './plugins/environment';
import { jobsPlugin } from './plugins/jobs';
import { notificationsPlugin } from './plugins/notifications';
import { panelPlugin } from './plugins/panel';
import { sentencesPlugin } from './plugins/sentences';
import { statusPlugin } from './plugins/status';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  environmentPlugin as JupyterFrontEndPlugin<unknown>,
  jobsPlugin,
  createPlugin,
  panelPlugin,
  statusPlugin,
  notificationsPlugin,
  sentencesPlugin
];

export default plugins;
