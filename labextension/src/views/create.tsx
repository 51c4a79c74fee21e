/**
 * The dialog that creates a job.
 */
import { Dialog } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import { UUID } from '@lumino/coreutils';
import React, { useEffect, useId, useRef, useState } from 'react';

import {
  Button,
  type ITraining,
  TrainingProvider,
  useTraining
} from '../components/context';
import { ApiError } from '../model/api';
import {
  fieldOf,
  type FormErrors,
  type IFormValues,
  type Mistake,
  readForm,
  trainLine
} from '../model/form';
import type { IForecast, IJob } from '../model/types';
import { resourcesWord } from '../model/words';

const PAUSE_MS = 350;

/** The form, and what became of it. */
class FormWidget extends ReactWidget {
  constructor(
    private readonly training: ITraining,
    public values: IFormValues
  ) {
    super();
    this.addClass('jp-Training');
    this.addClass('jp-Training-form');
  }

  errors: FormErrors = {};

  protected render(): React.JSX.Element {
    return (
      <TrainingProvider value={this.training}>
        <Form
          initial={this.values}
          refused={this.errors}
          onChange={values => (this.values = values)}
        />
      </TrainingProvider>
    );
  }
}

/** Stays open until the server has taken the job. */
export class CreateDialog extends Dialog<IFormValues> {
  constructor(
    private readonly training: ITraining,
    values: IFormValues
  ) {
    const { trans } = training;
    const form = new FormWidget(training, values);
    super({
      title: trans.__('Create training job'),
      body: form,
      buttons: [
        Dialog.cancelButton({ label: trans.__('Close') }),
        Dialog.okButton({ label: trans.__('Submit') })
      ],
      focusNodeSelector: values.name ? '[name="gpus"]' : '[name="name"]'
    });
    this.form = form;
    this.addClass('jp-Training-dialog');
  }

  /** The job, once it is submitted. */
  job: IJob | null = null;

  get values(): IFormValues {
    return this.form.values;
  }

  override resolve(index?: number): void {
    if (index === 0) {
      super.resolve(index);
    } else {
      void this.submit(index);
    }
  }

  private async submit(index: number | undefined): Promise<void> {
    if (this.isSubmitting) {
      return;
    }
    const { spec, mistakes } = readForm(this.form.values);
    if (Object.keys(mistakes).length) {
      this.form.errors = mistakeTexts(mistakes, this.training);
      this.form.update();
      return;
    }
    this.isSubmitting = true;
    try {
      // Whether an answer was lost or not: what is submitted again is the same job.
      this.key =
        this.key?.spec === JSON.stringify(spec) ? this.key : newKey(spec);
      this.job = await this.training.model.api.submit(spec, this.key.key);
      super.resolve(index);
    } catch (error) {
      this.form.errors = refusal(error);
      this.form.update();
    } finally {
      this.isSubmitting = false;
    }
  }

  private isSubmitting = false;
  private key: { spec: string; key: string } | null = null;
  private readonly form: FormWidget;
}

function newKey(spec: unknown): { spec: string; key: string } {
  return { spec: JSON.stringify(spec), key: UUID.uuid4() };
}

function refusal(error: unknown): FormErrors {
  if (!(error instanceof ApiError)) {
    throw error;
  }
  const errors: FormErrors = {};
  for (const { field, message } of error.errors) {
    errors[fieldOf(field)] = message;
  }
  if (!error.errors.length) {
    errors.form = error.message;
  }
  return errors;
}

function mistakeTexts(
  mistakes: Partial<Record<keyof IFormValues, Mistake>>,
  { trans }: Pick<ITraining, 'trans'>
): FormErrors {
  const texts: Record<Mistake, string> = {
    missing: trans.__('is required'),
    number: trans.__('should be a whole number'),
    duration: trans.__('should be a time such as 90s, 30m, 2h or 1h30m'),
    variable: trans.__('should be lines of NAME=VALUE')
  };
  return Object.fromEntries(
    Object.entries(mistakes).map(([field, mistake]) => [field, texts[mistake]])
  );
}

function Form(props: {
  initial: IFormValues;
  refused: FormErrors;
  onChange: (values: IFormValues) => void;
}): React.JSX.Element {
  const training = useTraining();
  const { trans, model } = training;
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

  useEffect(() => setErrors(props.refused), [props.refused]);
  useEffect(() => {
    const watching = model.watch();
    return () => watching.dispose();
  }, [model]);
  useEffect(() => {
    const { spec, mistakes } = readForm(values);
    // What was not filled in yet is no mistake.
    const shown = Object.fromEntries(
      Object.entries(mistakes).filter(([field]) => touched.has(field))
    );
    setErrors(mistakeTexts(shown, training));
    if (
      Object.keys(mistakes).some(
        field => field !== 'name' && field !== 'command'
      )
    ) {
      setForecast(null);
      return;
    }
    const number = ++asked.current;
    const timer = setTimeout(() => {
      const filled = {
        ...spec,
        name: spec.name || 'job',
        command: spec.command || 'true'
      };
      model.api.forecast(filled).then(
        told => number === asked.current && setForecast(told),
        (error: unknown) => {
          if (number === asked.current) {
            setForecast(null);
            setErrors({ ...mistakeTexts(shown, training), ...refusal(error) });
          }
        }
      );
    }, PAUSE_MS);
    return () => clearTimeout(timer);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [values, touched, model]);

  const change = (field: keyof IFormValues, value: string): void => {
    const next = { ...values, [field]: value };
    setValues(next);
    setTouched(known => new Set([...known, field]));
    props.onChange(next);
  };
  const total = model.machines?.total;
  const models = [
    ...new Set(
      model.machines?.nodes.flatMap(node => node.gpus.map(gpu => gpu.model))
    )
  ].filter(Boolean);
  const field = (
    name: keyof IFormValues,
    label: string,
    help: string,
    more: Partial<IFieldProps> = {}
  ): React.JSX.Element => (
    <Field
      name={name}
      label={label}
      help={help}
      value={values[name]}
      error={errors[name]}
      onChange={value => change(name, value)}
      {...more}
    />
  );
  return (
    <div>
      <div className="jp-Training-fields">
        {field('name', trans.__('Job name'), trans.__('What you call it'), {
          required: true,
          wide: true
        })}
        {field(
          'command',
          trans.__('Command'),
          trans.__('What to run, such as python train.py --epochs 100'),
          { required: true, wide: true }
        )}
        {field(
          'workingDir',
          trans.__('Working directory'),
          trans.__(
            'Below the directory of the server; empty for that directory'
          ),
          { wide: true }
        )}
        {field(
          'gpus',
          trans.__('GPUs'),
          total
            ? trans.__(
                'This machine has %1; %2 are free',
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
          {
            suggestions: models
          }
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
          {
            inputMode: 'numeric',
            placeholder: '3'
          }
        )}
      </div>
      <details className="jp-Training-more">
        <summary>{trans.__('More')}</summary>
        <div className="jp-Training-fields">
          {field(
            'image',
            trans.__('Container image'),
            trans.__('Empty for a process without a container'),
            {
              wide: true
            }
          )}
          {field(
            'priority',
            trans.__('Priority'),
            trans.__('Higher goes first'),
            {
              inputMode: 'numeric',
              placeholder: '0'
            }
          )}
          {field(
            'env',
            trans.__('Environment variables'),
            trans.__('Lines of NAME=VALUE'),
            {
              wide: true,
              lines: 3
            }
          )}
          {field('description', trans.__('Description'), '', {
            wide: true,
            lines: 2
          })}
        </div>
      </details>
      <div className="jp-Training-forecast" role="status">
        {errors.form ? (
          <span className="jp-Training-error">{errors.form}</span>
        ) : forecast === null ? (
          ''
        ) : (
          <>
            <b>
              {forecast.node !== null
                ? trans.__('Would start now on %1', forecast.node)
                : trans.__('Would wait')}
            </b>{' '}
            ({resourcesWord(forecast, trans)})
            {forecast.reason && <div>{forecast.reason}</div>}
          </>
        )}
      </div>
      <TrainLine line={trainLine(values)} />
    </div>
  );
}

function defaultOf(wanted: number, most: number | undefined): string {
  return String(most === undefined ? wanted : Math.min(wanted, most));
}

interface IFieldProps {
  name: string;
  label: string;
  help: string;
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
  required?: boolean;
  wide?: boolean;
  lines?: number;
  inputMode?: 'numeric';
  placeholder?: string;
  suggestions?: readonly string[];
}

function Field(props: IFieldProps): React.JSX.Element {
  const id = useId();
  const described = [props.help && `${id}-help`, props.error && `${id}-error`]
    .filter(Boolean)
    .join(' ');
  const common = {
    id,
    name: props.name,
    className: 'jp-mod-styled',
    value: props.value,
    required: props.required,
    placeholder: props.placeholder,
    'aria-invalid': props.error !== undefined,
    'aria-describedby': described || undefined,
    spellCheck: false
  };
  return (
    <div className={`jp-Training-field${props.wide ? ' jp-mod-wide' : ''}`}>
      <label htmlFor={id}>
        {props.label}
        {props.required && <span aria-hidden="true"> *</span>}
      </label>
      {props.lines ? (
        <textarea
          {...common}
          rows={props.lines}
          onChange={event => props.onChange(event.target.value)}
          onKeyDown={event => {
            // In a dialog Enter would submit it.
            if (event.key === 'Enter') {
              event.stopPropagation();
            }
          }}
        />
      ) : (
        <input
          {...common}
          type="text"
          autoComplete="off"
          inputMode={props.inputMode}
          list={props.suggestions?.length ? `${id}-list` : undefined}
          onChange={event => props.onChange(event.target.value)}
        />
      )}
      {props.suggestions && props.suggestions.length > 0 && (
        <datalist id={`${id}-list`}>
          {props.suggestions.map(one => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
      {props.help && (
        <small id={`${id}-help`} className="jp-Training-help">
          {props.help}
        </small>
      )}
      {props.error !== undefined && (
        <small id={`${id}-error`} className="jp-Training-error">
          {props.error}
        </small>
      )}
    </div>
  );
}

function TrainLine({ line }: { line: string }): React.JSX.Element {
  const { trans } = useTraining();
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
        onClick={() =>
          void navigator.clipboard.writeText(line).then(() => setCopied(true))
        }
      >
        {copied ? trans.__('Copied') : trans.__('Copy')}
      </Button>
    </div>
  );
}
