/**
 * The form of the dialog.
 */
import { PageConfig } from '@jupyterlab/coreutils';
import React, { useEffect, useRef, useState } from 'react';

import { Button, type ITraining, useTraining } from '../components/context';
import { ApiError } from '../model/api';
import { worded } from '../model/sentences';
import { troubleText } from '../model/troubles';
import type { IForecast } from '../model/types';
import { Forecast } from './forecast';
import {
  fieldOf,
  type FormErrors,
  type IFormValues,
  type Mistake,
  readForm
} from './form';
import { trainLine } from './line';
import {
  DistributedFields,
  fieldsOf,
  SearchFields,
  StageFields,
  TypeChoice
} from './types';

/** How long to wait for more before the server is asked (ms). */
const PAUSE_MS = 350;

/** Where the server is asked though something is missing: what it would say is known already. */
const MAY_MISS = new Set(['name', 'command']);

/** What is left out of a job that has these, so that the server can say what else is wrong. */
const IS_LEFT_OUT = new Set<Mistake>([
  'number',
  'amount',
  'duration',
  'variable'
]);

export function Form(props: {
  initial: IFormValues;
  refused: FormErrors;
  isSubmitting?: boolean;
  onChange: (values: IFormValues) => void;
}): React.JSX.Element {
  const training = useTraining();
  const { model } = training;
  const [values, setValues] = useState(props.initial);
  const [touched, setTouched] = useState<ReadonlySet<string>>(
    new Set(
      Object.entries(props.initial).flatMap(([field, value]) =>
        value ? [field] : []
      )
    )
  );
  const [errors, setErrors] = useState<FormErrors>({});
  const [forecast, setForecast] = useState<IForecast | null>(null);
  const asked = useRef(0);

  const host = useRef<HTMLDivElement>(null);
  const { refused } = props;
  useEffect(() => setErrors(refused), [refused]);
  useEffect(() => {
    // Who wanted to submit it is taken to what has to be changed for that.
    if (errors === refused) {
      host.current
        ?.querySelector<HTMLElement>('[aria-invalid="true"]')
        ?.focus();
    }
  }, [errors, refused]);
  useEffect(() => {
    const watching = model.watch();
    return () => watching.dispose();
  }, [model]);
  useEffect(() => {
    const { spec, mistakes } = readForm(values);
    // What was not filled in yet is no mistake.
    const shown = mistakeTexts(
      Object.fromEntries(
        Object.entries(mistakes).filter(
          ([field]) => touched.has(field) || !(field in values)
        )
      ),
      training
    );
    setErrors(shown);
    const number = ++asked.current;
    const wrong = Object.keys(mistakes).filter(field => !MAY_MISS.has(field));
    if (wrong.length) {
      setForecast(null);
    }
    if (wrong.some(field => !IS_LEFT_OUT.has(mistakes[field]))) {
      return;
    }
    const timer = setTimeout(() => {
      const filled = {
        ...spec,
        name: spec.name || 'job',
        ...(spec.stages ? {} : { command: spec.command || 'true' })
      };
      model.api.forecast(filled).then(
        told =>
          number === asked.current && setForecast(wrong.length ? null : told),
        (error: unknown) => {
          if (number === asked.current) {
            setForecast(null);
            setErrors({ ...shown, ...refusal(error, values, training) });
          }
        }
      );
    }, PAUSE_MS);
    return () => clearTimeout(timer);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [values, touched, model]);

  const change = (part: Partial<IFormValues>): void => {
    const next = { ...values, ...part };
    setValues(next);
    setTouched(known => new Set([...known, ...Object.keys(part)]));
    props.onChange(next);
  };
  const part = { values, errors, change };
  return (
    <div ref={host} aria-busy={props.isSubmitting}>
      <TypeChoice type={values.type} onChange={type => change({ type })} />
      <What {...part} hasParameters={props.initial.parameters !== ''} />
      {values.type === 'distributed' && <DistributedFields {...part} />}
      {values.type === 'hyperparameter' && <SearchFields {...part} />}
      {values.type === 'pipeline' && <StageFields {...part} />}
      <Needs {...part} />
      <div className="jp-Training-outcome">
        <Forecast
          forecast={forecast}
          error={
            errors.form ??
            // The field may be out of sight.
            (Object.keys(errors).length
              ? training.trans.__('A field has to be changed first.')
              : undefined)
          }
          isSubmitting={props.isSubmitting}
        />
        <TrainLine
          line={trainLine(values, PageConfig.getOption('serverRoot'))}
        />
      </div>
    </div>
  );
}

type PartProps = Parameters<typeof fieldsOf>[0];

function What(
  props: PartProps & { hasParameters: boolean }
): React.JSX.Element {
  const { trans } = useTraining();
  const field = fieldsOf(props);
  const help =
    props.values.type === 'hyperparameter'
      ? trans.__('What a trial runs, such as python train.py --lr %1', '{lr}')
      : trans.__('What to run, such as python train.py --epochs 100');
  return (
    <div className="jp-Training-fields">
      {field('name', trans.__('Job name'), trans.__('What you call it'), {
        required: true,
        wide: true
      })}
      {props.values.type !== 'pipeline' &&
        field('command', trans.__('Command'), help, {
          required: true,
          wide: true
        })}
      {props.values.type !== 'pipeline' &&
        props.values.kept.script !== undefined &&
        field(
          'script',
          trans.__('Script'),
          trans.__('What stands in the command as %1', '{script}'),
          { wide: true, lines: 8 }
        )}
      {props.hasParameters && <Parameters {...props} />}
      {props.values.kept.snapshot !== undefined &&
        field(
          'files',
          trans.__('Files'),
          trans.__(
            'With which files it runs: those of the job that it is like, or those in its directory'
          ),
          {
            wide: true,
            choices: [
              ['', trans.__('as they were then')],
              ['now', trans.__('as they are now')]
            ]
          }
        )}
      {field(
        'workingDir',
        trans.__('Working directory'),
        trans.__('Below the directory of the server; empty for that directory'),
        { wide: true }
      )}
    </div>
  );
}

/** The values of a trial, or of a job like one. */
function Parameters(props: PartProps): React.JSX.Element {
  const { trans } = useTraining();
  return fieldsOf(props)(
    'parameters',
    trans.__('Parameters'),
    trans.__(
      'Lines of NAME=VALUE, such as the lr of %1 in the command, and variables of a script',
      '{lr}'
    ),
    { wide: true, lines: 3 }
  );
}

/** The fields that are seen only by who wants to. */
const MORE = [
  'image',
  'priority',
  'executor',
  'options',
  'notify',
  'datasets',
  'outputPath',
  'env',
  'description'
];

function Needs(props: PartProps): React.JSX.Element {
  const { trans, model } = useTraining();
  const [isOpen, setOpen] = useState(false);
  const isWrong = MORE.some(name => props.errors[name] !== undefined);
  const field = fieldsOf(props);
  const total = model.machines?.total;
  const models = [
    ...new Set(
      model.machines?.nodes.flatMap(node => node.gpus.map(gpu => gpu.model))
    )
  ].filter(Boolean);
  return (
    <>
      <div className="jp-Training-fields">
        {field(
          'gpus',
          trans.__('GPUs'),
          total?.gpu_count === 0
            ? trans.__('there are none here')
            : total
              ? trans.__(
                  'of %1, %2 free',
                  total.gpu_count,
                  model.machines?.free.gpu_count ?? 0
                )
              : '',
          { inputMode: 'numeric', placeholder: defaultOf(1, total?.gpu_count) }
        )}
        {field(
          'gpuType',
          trans.__('GPU type'),
          trans.__('What the model is called, such as A100'),
          { suggestions: models }
        )}
        {field(
          'cpus',
          trans.__('CPU cores'),
          total ? trans.__('of %1', total.cpu_cores) : '',
          { inputMode: 'numeric', placeholder: defaultOf(4, total?.cpu_cores) }
        )}
        {field(
          'memory',
          trans.__('Memory (GB)'),
          total ? trans.__('of %1', total.memory_gb) : '',
          { inputMode: 'numeric', placeholder: defaultOf(16, total?.memory_gb) }
        )}
        {field(
          'timeLimit',
          trans.__('Time limit'),
          trans.__('Such as 30m or 2h; empty for none')
        )}
        {field(
          'retries',
          trans.__('Retries'),
          trans.__('Runs after a failure'),
          { inputMode: 'numeric', placeholder: '3' }
        )}
      </div>
      <details
        className="jp-Training-more"
        open={isOpen || isWrong}
        onToggle={event => {
          const { open } = event.currentTarget;
          setOpen(open);
          if (open && !isWrong) {
            // What it comes to would cover it.
            event.currentTarget.scrollIntoView({ block: 'start' });
          }
        }}
      >
        <summary>{trans.__('More')}</summary>
        <div className="jp-Training-fields">
          {field(
            'image',
            trans.__('Container image'),
            trans.__('Empty for a process without a container'),
            { wide: true }
          )}
          {field(
            'priority',
            trans.__('Priority'),
            trans.__('Higher goes first; a cluster has its own order'),
            { inputMode: 'numeric', placeholder: '0' }
          )}
          {field(
            'executor',
            trans.__('Executor'),
            trans.__('What runs it; empty for what fits')
          )}
          {field(
            'datasets',
            trans.__('Data sets'),
            trans.__('Numbers or names, separated by commas')
          )}
          {props.values.type !== 'pipeline' &&
            props.values.type !== 'hyperparameter' &&
            field(
              'outputPath',
              trans.__('Output directory'),
              trans.__('Empty for a directory of its own')
            )}
          {field(
            'env',
            trans.__('Environment variables'),
            trans.__('Lines of NAME=VALUE'),
            { wide: true, lines: 3 }
          )}
          {field(
            'options',
            trans.__('Executor options'),
            trans.__('Lines of NAME=VALUE, such as %1', 'partition=gpu'),
            { wide: true, lines: 2 }
          )}
          {field(
            'notify',
            trans.__('Tell'),
            trans.__(
              'Receivers by their names or URLs, each in a line, perhaps with %1; or a job, for those who are told of that one',
              '(failed, retrying)'
            ),
            { wide: true, lines: 2 }
          )}
          {field('description', trans.__('Description'), '', {
            wide: true,
            lines: 2
          })}
        </div>
      </details>
    </>
  );
}

function defaultOf(wanted: number, most: number | undefined): string {
  return String(most === undefined ? wanted : Math.min(wanted, most));
}

function TrainLine({ line }: { line: string }): React.JSX.Element {
  const { trans, copy } = useTraining();
  const [copied, setCopied] = useState(false);
  useEffect(() => setCopied(false), [line]);
  return (
    <div className="jp-Training-line">
      <code
        className="jp-Training-trainLine"
        tabIndex={0}
        aria-label={trans.__('The same in a notebook')}
      >
        {line}
      </code>
      <Button
        onClick={() => {
          copy(line);
          setCopied(true);
        }}
      >
        {copied ? trans.__('Copied') : trans.__('Copy')}
      </Button>
    </div>
  );
}

/** What the server has against a job, by the fields that it is about. */
export function refusal(
  error: unknown,
  values: IFormValues,
  { trans }: Pick<ITraining, 'trans'>
): FormErrors {
  if (!(error instanceof ApiError)) {
    throw error;
  }
  const errors: FormErrors = {};
  for (const { field, message } of error.errors) {
    const at = fieldOf(field, values);
    const told = worded(message, trans);
    // Of what has no field here, its name tells what it is about.
    errors[at] = [errors[at], at === 'form' ? `${field}: ${told}` : told]
      .filter(Boolean)
      .join('; ');
  }
  if (!error.errors.length) {
    errors.form = troubleText(error, trans);
  }
  return errors;
}

export function mistakeTexts(
  mistakes: Record<string, Mistake>,
  { trans }: Pick<ITraining, 'trans'>
): FormErrors {
  const texts: Record<Mistake, string> = {
    missing: trans.__('is required'),
    number: trans.__('should be a whole number'),
    amount: trans.__('should be a number'),
    duration: trans.__('should be a time such as 90s, 30m, 2h or 1h30m'),
    variable: trans.__('should be lines of NAME=VALUE'),
    dimension: trans.__(
      'needs a name of its own, and two numbers or values separated by commas'
    ),
    stage: trans.__('needs a name, a command, and a whole number of GPUs')
  };
  return Object.fromEntries(
    Object.entries(mistakes).map(([field, mistake]) => [field, texts[mistake]])
  );
}
