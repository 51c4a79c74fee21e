/**
 * The sidebar: the machines, what runs, what waits and what has ended.
 */
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import React, { useEffect, useState } from 'react';

import {
  Button,
  type ITraining,
  TrainingProvider,
  useSignal,
  useTraining
} from '../components/context';
import { Filter } from '../components/filter';
import { GpuStrip } from '../components/gpus';
import { JobList } from '../components/list';
import { ShownWidget, WhileShown } from '../components/shown';
import { EXAMPLE } from '../model/example';
import type { IJobEvent } from '../model/types';
import { ENDED } from '../model/types';
import { worded } from '../model/sentences';
import { statusWord } from '../model/words';

export class TrainingPanel extends ShownWidget {
  constructor(private readonly training: ITraining) {
    super();
    this.id = 'jupyter-training-panel';
    this.addClass('jp-Training');
    this.addClass('jp-Training-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', training.trans.__('Training jobs'));
    this.node.addEventListener('contextmenu', () => {
      this.hadFocus = this.node.contains(document.activeElement);
    });
  }

  /** Who comes here by the keyboard goes on here: at the filter, or at what there is without jobs. */
  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    if (!this.node.contains(document.activeElement)) {
      this.node.querySelector<HTMLElement>('input, button')?.focus();
    }
  }

  /** Give the focus back to the row that had it, if nothing else takes it. */
  regainFocus(): void {
    requestAnimationFrame(() => {
      if (this.hadFocus && document.activeElement === document.body) {
        this.node
          .querySelector<HTMLElement>('.jp-Training-jobRow[tabindex="0"]')
          ?.focus();
      }
      this.hadFocus = false;
    });
  }

  protected watch(): IDisposable {
    return this.training.model.watch();
  }

  protected render(): React.JSX.Element {
    return (
      <TrainingProvider value={this.training}>
        <WhileShown widget={this}>
          <Panel />
        </WhileShown>
      </TrainingProvider>
    );
  }

  /** Whether the focus was here when a menu was opened. */
  private hadFocus = false;
}

export function Panel(): React.JSX.Element {
  const { trans, model, execute } = useTraining();
  useSignal(model.changed);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const { loaded, trouble } = model.state;
  if (!loaded) {
    return trouble === null ? (
      <p className="jp-Training-note" role="status">
        {trans.__('Loading…')}
      </p>
    ) : (
      <Trouble />
    );
  }
  const isEmpty =
    !model.active.length && !model.ended.length && !model.filterText;
  return (
    <>
      {trouble !== null && <Trouble />}
      {model.machines && <GpuStrip machines={model.machines} />}
      <div className="jp-Training-tools">
        <Filter />
        <Button kind="accept" onClick={() => execute('training:create')}>
          {trans.__('New')}
        </Button>
      </div>
      {selected.size > 1 && (
        <div className="jp-Training-tools">
          <span className="jp-Training-left">
            {trans.__('%1 selected', selected.size)}
          </span>
          <Button
            onClick={() =>
              execute('training:compare', { jobs: [...selected].join(',') })
            }
          >
            {trans.__('Compare')}
          </Button>
          <Button onClick={() => setSelected(new Set())}>
            {trans.__('Clear')}
          </Button>
        </div>
      )}
      {isEmpty ? (
        <Empty />
      ) : (
        <JobList
          key={model.filterText}
          selected={selected}
          onSelect={setSelected}
        />
      )}
      <Announcer />
    </>
  );
}

/** What teaches the first job. */
function Empty(): React.JSX.Element {
  const { trans, execute } = useTraining();
  return (
    <div className="jp-Training-empty">
      <h3>{trans.__('No training jobs yet')}</h3>
      <p>
        {trans.__(
          'Write %1 above a cell: it becomes a job that waits for its turn, runs away from the kernel and goes on when you close the browser.',
          '%%train'
        )}
      </p>
      <pre tabIndex={0} aria-label={trans.__('Example')}>
        {EXAMPLE}
      </pre>
      <Button kind="accept" onClick={() => execute('training:insert-example')}>
        {trans.__('Insert this cell')}
      </Button>
      <Button onClick={() => execute('training:create')}>
        {trans.__('Create training job…')}
      </Button>
    </div>
  );
}

function Trouble(): React.JSX.Element {
  const { trans, model } = useTraining();
  const { trouble, message } = model.state;
  let title: string;
  let text: string;
  switch (trouble) {
    case 'absent':
      title = trans.__('The server part of jupyter-training is not running');
      text = trans.__(
        'Install jupyter-training where the Jupyter server runs, enable it with “jupyter server extension enable jupyter_training”, and start the server again.'
      );
      break;
    case 'away':
      title = trans.__('The server does not answer');
      text = trans.__('Jobs that run go on. Trying again…');
      break;
    case 'forbidden':
      title = trans.__('You may not see training jobs here');
      text = trans.__('Log in again, or ask whoever runs this server.');
      break;
    default:
      title = trans.__('Training jobs are not available at the moment');
      text = worded(message, trans);
  }
  return (
    <div className="jp-Training-trouble" role="alert">
      <b>{title}</b>
      <p>{text}</p>
      <Button onClick={() => model.refresh()}>{trans.__('Try again')}</Button>
    </div>
  );
}

/** Says to a screen reader when a job has ended, and nothing else. */
function Announcer(): React.JSX.Element {
  const { trans, model } = useTraining();
  const [said, say] = useState('');
  useEffect(() => {
    const onEvent = (_: unknown, event: IJobEvent): void => {
      const { name, status } = event;
      if (name && status && event.change === status && ENDED.includes(status)) {
        say(trans.__('%1: %2', name, statusWord(status, trans)));
      }
    };
    model.jobChanged.connect(onEvent);
    return () => {
      model.jobChanged.disconnect(onEvent);
    };
  }, [model, trans]);
  return (
    <div role="status" className="jp-Training-unseen">
      {said}
    </div>
  );
}
