/**
 * The model that all parts share, on the application's connection to its server.
 */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Clipboard } from '@jupyterlab/apputils';
import type { Event } from '@jupyterlab/services';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ServerConnection } from '@jupyterlab/services';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';

import type { ITraining } from '../components/context';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- is shown or used at once
import { TrainingApi } from '../model/api';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- is shown or used at once
import { type IEventSource, JobsModel } from '../model/jobs';
import { translatedSchema } from '../model/schema';
import { type IJobEvent, JOB_EVENT } from '../model/types';
import { statusWord } from '../model/words';
import { attempt } from './attempt';

/** How long to wait for an answer; a cancel may take as long as the job has to save its work. */
const PATIENCE_MS = 60_000;

export const PLUGIN = 'jupyter-training:plugin';

export interface ITrainingSettings {
  notifications: 'all' | 'failures' | 'none';
  statusBar: boolean;
  confirmCancel: boolean;
}

export interface IEnvironment extends ITraining {
  settings: ITrainingSettings;
  /** When the settings have changed. */
  settingsChanged: Signal<unknown, void>;
}

export const IEnvironment = new Token<IEnvironment>(
  'jupyter-training:IEnvironment',
  'The training jobs of the server, and what their views need.'
);

export const environmentPlugin: JupyterFrontEndPlugin<IEnvironment> = {
  id: PLUGIN,
  description: 'Provides the training jobs of the server.',
  autoStart: true,
  provides: IEnvironment,
  optional: [ITranslator, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    registry: ISettingRegistry | null
  ): IEnvironment => {
    const server = app.serviceManager.serverSettings;
    const trans = (translator ?? nullTranslator).load('jupyter_training');
    const authorized = (url: string): string =>
      server.appendToken && server.token
        ? `${url}${url.includes('?') ? '&' : '?'}token=${encodeURIComponent(server.token)}`
        : url;
    const api = new TrainingApi((path, init) =>
      ServerConnection.makeRequest(
        server.baseUrl + path,
        // A server that hangs is one that is away.
        { signal: AbortSignal.timeout(PATIENCE_MS), ...init },
        server
      )
    );
    const environment: IEnvironment = {
      trans,
      locale: translator?.languageCode.replace('_', '-') ?? undefined,
      model: new JobsModel(api, eventsOf(app), document, status =>
        statusWord(status, trans)
      ),
      connect: path => new server.WebSocket(authorized(server.wsUrl + path)),
      attempt: action => attempt(trans, action),
      copy: text => Clipboard.copyToSystem(text),
      execute: (command, args) => void app.commands.execute(command, args),
      link: path => authorized(server.baseUrl + path),
      settings: { notifications: 'all', statusBar: true, confirmCancel: true },
      settingsChanged: new Signal<unknown, void>({})
    };
    registry?.transform(PLUGIN, {
      fetch: plugin => ({
        ...plugin,
        schema: translatedSchema(plugin.schema, trans)
      })
    });
    registry?.load(PLUGIN).then(
      settings => {
        const read = (): void => {
          environment.settings =
            settings.composite as unknown as ITrainingSettings;
          environment.settingsChanged.emit();
        };
        settings.changed.connect(read);
        read();
      },
      (error: unknown) => console.error(`No settings for ${PLUGIN}`, error)
    );
    return environment;
  }
};

/** The events of jobs among those of the server, of which JupyterLab has a subscription anyway. */
function eventsOf(app: JupyterFrontEnd): IEventSource {
  const { events } = app.serviceManager;
  const emitted = new Signal<unknown, IJobEvent>(events);
  events.stream.connect((_, emission: Event.Emission) => {
    if (emission.schema_id === JOB_EVENT) {
      emitted.emit(emission as unknown as IJobEvent);
    }
  });
  return {
    emitted,
    // It does not tell of its socket; where that cannot be seen, ask as if there were none.
    connection: () => {
      const socket = (events as unknown as { _socket?: WebSocket | null })
        ._socket;
      return socket?.readyState === 1 ? socket : null;
    }
  };
}
