/**
 * What the dialog asks for each type of job beyond what all have.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { useTraining } from '../components/context';
import type { IKept } from '../model/types';
import { Field, type IFieldProps, Rows } from './field';
import {
  type FormErrors,
  type IFormValues,
  type ITextValues,
  type JobType,
  TYPES
} from './form';
import { hasStep, KINDS, NEW_DIMENSION } from './space';
import { NEW_STAGE } from './stages';

export interface IPartProps {
  values: IFormValues;
  errors: FormErrors;
  change: (part: Partial<IFormValues>) => void;
}

type FieldOf = (
  name: keyof ITextValues,
  label: string,
  help?: string,
  more?: Partial<IFieldProps>
) => React.JSX.Element;

/** Makes fields that show and change one of the values. */
export function fieldsOf({ values, errors, change }: IPartProps): FieldOf {
  const field: FieldOf = (name, label, help, more = {}) => (
    <Field
      name={name}
      label={label}
      help={help}
      value={values[name]}
      error={errors[name]}
      onChange={value => change({ [name]: value })}
      {...more}
    />
  );
  return field;
}

export function TypeChoice(props: {
  type: JobType;
  onChange: (type: JobType) => void;
}): React.JSX.Element {
  const { trans } = useTraining();
  const words: Record<JobType, string> = {
    single: trans.__('Single'),
    distributed: trans.__('Distributed'),
    hyperparameter: trans.__('Hyperparameter search'),
    pipeline: trans.__('Pipeline')
  };
  return (
    <fieldset className="jp-Training-types">
      <legend>{trans.__('Type')}</legend>
      {TYPES.map(type => (
        <label key={type}>
          <input
            type="radio"
            name="type"
            value={type}
            checked={props.type === type}
            onChange={() => props.onChange(type)}
          />
          <span>{words[type]}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function DistributedFields(props: IPartProps): React.JSX.Element {
  const { trans } = useTraining();
  const field = fieldsOf(props);
  return (
    <div className="jp-Training-fields">
      {field(
        'nodes',
        trans.__('Nodes'),
        trans.__('They start and end together; what it needs is for each'),
        { inputMode: 'numeric', required: true }
      )}
      {field(
        'minNodes',
        trans.__('Minimum nodes'),
        trans.__('It starts with so many if there is no room for all'),
        { inputMode: 'numeric', placeholder: props.values.nodes }
      )}
      {field(
        'launcher',
        trans.__('Launcher'),
        trans.__('Who starts the processes of a node'),
        {
          choices: [
            ['', trans.__('built in')],
            ['torchrun', 'torchrun'],
            ['accelerate', 'accelerate'],
            ['deepspeed', 'deepspeed'],
            ['mpi', 'mpi'],
            ['none', trans.__('the command itself')]
          ]
        }
      )}
      {field(
        'processes',
        trans.__('Processes per node'),
        trans.__('Empty for one for each GPU, or one'),
        { inputMode: 'numeric' }
      )}
    </div>
  );
}

export function SearchFields(props: IPartProps): React.JSX.Element {
  const { trans } = useTraining();
  const { values, errors, change } = props;
  const field = fieldsOf(props);
  return (
    <>
      <Rows
        title={trans.__('Search space')}
        help={trans.__(
          'A trial finds each of them as %1 in the command, and in its environment',
          '{lr}'
        )}
        rows={values.space}
        empty={NEW_DIMENSION}
        add={trans.__('Add parameter')}
        remove={place => trans.__('Remove parameter %1', place + 1)}
        error={errors.space}
        errorOf={place => errors[`space.${place}`]}
        onChange={space => change({ space })}
      >
        {(row, cell) => (
          <>
            {cell('name', trans.__('Name'))}
            {cell('type', trans.__('Type'), { kind: 'type', choices: KINDS })}
            {row.type === 'choice' ? (
              cell('values', trans.__('Values'), {
                kind: 'wide',
                placeholder: '16, 32, 64'
              })
            ) : (
              <>
                {cell('low', trans.__('From'), { kind: 'number' })}
                {cell('high', trans.__('To'), { kind: 'number' })}
                {hasStep(row.type) &&
                  cell('step', trans.__('Step'), { kind: 'number' })}
              </>
            )}
          </>
        )}
      </Rows>
      <div className="jp-Training-fields">
        {field(
          'metric',
          trans.__('Metric'),
          trans.__('What a trial reports or prints, such as val_loss'),
          { required: true }
        )}
        {field('goal', trans.__('Goal'), '', {
          choices: [
            ['minimize', trans.__('minimize')],
            ['maximize', trans.__('maximize')]
          ]
        })}
        {field(
          'trials',
          trans.__('Trials'),
          trans.__('At most so many; empty if a budget ends it'),
          { inputMode: 'numeric' }
        )}
        {field('parallel', trans.__('At a time'), '', {
          inputMode: 'numeric',
          placeholder: '1'
        })}
        {field(
          'budgetHours',
          trans.__('Budget (hours)'),
          trans.__('It ends after so many, also while trials run'),
          { inputMode: 'decimal', placeholder: trans.__('no limit') }
        )}
        {field(
          'gpuHours',
          trans.__('Budget (GPU-hours)'),
          trans.__('It ends when its trials have held GPUs for so long'),
          { inputMode: 'decimal', placeholder: trans.__('no limit') }
        )}
        {field(
          'sampler',
          trans.__('Sampler'),
          trans.__('Who suggests the next parameters'),
          {
            choices: [
              ['tpe', 'TPE'],
              ['random', trans.__('random')],
              ['grid', trans.__('grid')],
              ['cmaes', 'CMA-ES']
            ]
          }
        )}
        {field(
          'pruner',
          trans.__('Pruner'),
          trans.__('Who stops bad trials early'),
          {
            choices: [
              ['none', trans.__('nobody')],
              ['asha', 'ASHA'],
              ['median', trans.__('median')],
              ['hyperband', 'Hyperband']
            ]
          }
        )}
        {field('seed', trans.__('Seed'), '', { inputMode: 'numeric' })}
      </div>
    </>
  );
}

/** What a stage like another one is, where that is more than one job. */
function kindOf(
  { job_type, search, nodes, stages }: IKept,
  trans: TranslationBundle
): string {
  const parts: string[] = [];
  if (search) {
    const space = Object.keys(search.space ?? {}).join(', ');
    parts.push(
      search.trials
        ? trans.__('A search of %1 trials for %2', search.trials, space)
        : trans.__('A search for %1', space)
    );
  }
  if (job_type === 'distributed' || (nodes ?? 1) > 1) {
    parts.push(trans.__('Of %1 nodes', nodes ?? 1));
  }
  if (stages) {
    const names = stages.map(one => one.name).join(', ');
    parts.push(trans.__('A pipeline of %1', names));
  }
  return parts.join(' · ');
}

export function StageFields(props: IPartProps): React.JSX.Element {
  const { trans } = useTraining();
  const { values, errors, change } = props;
  return (
    <>
      <Rows
        title={trans.__('Stages')}
        help={trans.__(
          'A stage finds what those before it have left in the directory %1',
          'JUPYTER_TRAINING_INPUTS'
        )}
        rows={values.stages}
        empty={NEW_STAGE}
        add={trans.__('Add stage')}
        remove={place => trans.__('Remove stage %1', place + 1)}
        error={errors.stages}
        errorOf={place => errors[`stages.${place}`]}
        onChange={stages => change({ stages })}
        noteOf={row => kindOf(row.kept ?? {}, trans)}
      >
        {(row, cell) => (
          <>
            {cell('name', trans.__('Name'))}
            {row.kept?.stages === undefined &&
              cell('command', trans.__('Command'), { kind: 'wide' })}
            {cell('after', trans.__('After'))}
            {cell('gpus', trans.__('GPUs'), { kind: 'number' })}
          </>
        )}
      </Rows>
      <div className="jp-Training-fields">
        {fieldsOf(props)(
          'cache',
          trans.__('Stages that an earlier run has done'),
          trans.__(
            'Known by the command, the files that it names, and the stages before'
          ),
          {
            wide: true,
            choices: [
              ['', trans.__('run them again')],
              ['yes', trans.__('leave them out and take their results')]
            ]
          }
        )}
      </div>
    </>
  );
}
