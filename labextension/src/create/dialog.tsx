/**
 * The dialog that creates a job.
 */
import { Dialog } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import { UUID } from '@lumino/coreutils';
import React from 'react';

import { type ITraining, TrainingProvider } from '../components/context';
import type { IJob } from '../model/types';
import { type FormErrors, type IFormValues, readForm } from './form';
import { Form, mistakeTexts, refusal } from './view';

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
  isSubmitting = false;

  protected render(): React.JSX.Element {
    return (
      <TrainingProvider value={this.training}>
        <Form
          initial={this.values}
          refused={this.errors}
          isSubmitting={this.isSubmitting}
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

  /** The Tab key goes around in the dialog; the base class knows no field of it, as React adds them. */
  override handleEvent(event: Event): void {
    const last = [...this.node.querySelectorAll('button:enabled')].at(-1);
    if (
      event instanceof KeyboardEvent &&
      event.type === 'keydown' &&
      event.key === 'Tab' &&
      !event.shiftKey &&
      document.activeElement === last
    ) {
      event.preventDefault();
      event.stopPropagation();
      this.node.querySelector<HTMLElement>('input:checked')?.focus();
    } else {
      super.handleEvent(event);
    }
  }

  override resolve(index?: number): void {
    if (index === 0) {
      super.resolve(index);
    } else {
      void this.submit(index);
    }
  }

  private async submit(index: number | undefined): Promise<void> {
    if (this.form.isSubmitting) {
      return;
    }
    const { spec, mistakes } = readForm(this.form.values);
    if (Object.keys(mistakes).length) {
      this.form.errors = mistakeTexts(mistakes, this.training);
      this.form.update();
      return;
    }
    this.form.isSubmitting = true;
    this.form.update();
    try {
      // Whether an answer was lost or not: what is submitted again is the same job.
      this.key =
        this.key?.spec === JSON.stringify(spec) ? this.key : newKey(spec);
      this.job = await this.training.model.api.submit(spec, this.key.key);
      super.resolve(index);
    } catch (error) {
      this.form.errors = refusal(error, this.form.values, this.training);
    } finally {
      this.form.isSubmitting = false;
      this.form.update();
    }
  }

  private key: { spec: string; key: string } | null = null;
  private readonly form: FormWidget;
}

function newKey(spec: unknown): { spec: string; key: string } {
  return { spec: JSON.stringify(spec), key: UUID.uuid4() };
}
