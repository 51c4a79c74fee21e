/**
 * What the commands take.
 */
export const NO_ARGUMENTS = { args: { type: 'object', properties: {} } };

export const JOB_ARGUMENT = {
  args: {
    type: 'object',
    properties: {
      job: {
        type: 'string',
        description:
          'The id of the job, such as job-7f3a9c. By default the one in the current view; else it is asked for.'
      }
    }
  }
};

export const OPEN_ARGUMENTS = {
  args: {
    type: 'object',
    properties: {
      ...JOB_ARGUMENT.args.properties,
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
        description: 'What to see of it.'
      }
    }
  }
};

export const COMPARE_ARGUMENTS = {
  args: {
    type: 'object',
    properties: {
      jobs: {
        type: 'string',
        description:
          'The ids of the jobs, separated by commas. By default the latest ones.'
      }
    }
  }
};

export const CREATE_ARGUMENTS = {
  args: {
    type: 'object',
    properties: {
      path: {
        type: 'string',
        description:
          'A script or a notebook to run, relative to the directory of the server.'
      },
      like: {
        type: 'string',
        description: 'The id of a job whose fields to begin with.'
      }
    }
  }
};
