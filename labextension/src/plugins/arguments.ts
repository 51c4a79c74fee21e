/**
 * What the commands take, as it is told to people and to programs that run commands.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyJSONObject } from '@lumino/coreutils';

interface IArguments {
  args: ReadonlyJSONObject;
}

function taking(properties: ReadonlyJSONObject): IArguments {
  return { args: { type: 'object', properties } };
}

export const NO_ARGUMENTS = taking({});

export function jobArgument(trans: TranslationBundle): IArguments {
  return taking({ job: jobOf(trans) });
}

export function openArguments(trans: TranslationBundle): IArguments {
  return taking({
    job: jobOf(trans),
    tab: {
      type: 'string',
      enum: [
        'overview',
        'stages',
        'ranks',
        'trials',
        'log',
        'metrics',
        'resources',
        'history',
        'outputs',
        'code'
      ],
      description: trans.__('What to see of it.')
    }
  });
}

export function compareArguments(trans: TranslationBundle): IArguments {
  return taking({
    jobs: {
      type: 'string',
      description: trans.__(
        'The ids of the jobs, separated by commas. By default the latest ones.'
      )
    }
  });
}

export function createArguments(trans: TranslationBundle): IArguments {
  return taking({
    path: {
      type: 'string',
      description: trans.__(
        'A script or a notebook to run, relative to the directory of the server.'
      )
    },
    like: {
      type: 'string',
      description: trans.__('The id of a job whose fields to begin with.')
    }
  });
}

function jobOf(trans: TranslationBundle): ReadonlyJSONObject {
  return {
    type: 'string',
    description: trans.__(
      'The id of the job, such as job-7f3a9c. By default the one in the current view; else it is asked for.'
    )
  };
}
