/**
 * A job in a list: what it is, on what, how far, how long still; or why not, and what to do.
 */
import React, { useState } from 'react';

import {
  duration,
  figure,
  leftText,
  moment,
  progressOf,
  ranFor
} from '../model/times';
import { type IJob, isActive } from '../model/types';
import {
  causeWord,
  shortResources,
  statusWord,
  typeWord
} from '../model/words';
import { type ITraining, told, useTraining } from './context';
import { Picture, StatusIcon } from './icons';
import { Progress } from './progress';

export interface IRowProps {
  job: IJob;
  now: Date;
  /** Whether it is the one that the keys act on. */
  isCurrent: boolean;
  isSelected: boolean;
}

/** Drawn anew only if something about it is new: many are scrolled past. */
export const JobRow = React.memo(function JobRow({
  job,
  now,
  isCurrent,
  isSelected
}: IRowProps): React.JSX.Element {
  const training = useTraining();
  const { trans } = training;
  const word =
    job.status === 'failed' && job.cause
      ? causeWord(job.cause, trans)
      : statusWord(job.status, trans);
  // The buttons of all other rows would only be hidden, and make a third of what is drawn.
  const [isPointedAt, setPointedAt] = useState(false);
  const shown = details(job, now, training);
  const reason = shown.reason && told(shown.reason, training);
  return (
    <div
      role="gridcell"
      className={`jp-Training-job${isSelected ? ' jp-mod-selected' : ''}`}
      onMouseEnter={() => setPointedAt(true)}
      onMouseLeave={() => setPointedAt(false)}
    >
      <div className="jp-Training-line">
        <StatusIcon status={job.status} />
        <span className="jp-Training-name" title={job.name}>
          {job.name}
        </span>
        <span className={`jp-Training-word jp-Training-is-${job.status}`}>
          {word}
        </span>
      </div>
      <div className="jp-Training-line jp-Training-second">
        <span className="jp-Training-left">{shown.left}</span>
        <span>{shown.right}</span>
      </div>
      {reason && (
        <div className="jp-Training-reason" title={reason}>
          {reason}
        </div>
      )}
      {job.status === 'running' && (
        <Progress job={job} label={trans.__('Progress of %1', job.name)} />
      )}
      {(isCurrent || isPointedAt) && (
        <RowActions job={job} isCurrent={isCurrent} />
      )}
    </div>
  );
});

function RowActions(props: {
  job: IJob;
  isCurrent: boolean;
}): React.JSX.Element {
  const { trans, execute } = useTraining();
  const { job } = props;
  const actions = [
    {
      name: 'log' as const,
      command: 'training:open-log',
      label: trans.__('View log')
    },
    isActive(job)
      ? {
          name: 'cancel' as const,
          command: 'training:cancel',
          label: trans.__('Cancel')
        }
      : {
          name: 'retry' as const,
          command: 'training:retry',
          label: trans.__('Run again')
        }
  ];
  return (
    <div className="jp-Training-actions">
      {actions.map(({ name, command, label }) => (
        <button
          key={name}
          type="button"
          title={label}
          aria-label={trans.__('%1: %2', label, job.name)}
          tabIndex={props.isCurrent ? 0 : -1}
          onClick={event => {
            event.stopPropagation();
            execute(command, { job: job.job_id });
          }}
        >
          <Picture name={name} />
        </button>
      ))}
    </div>
  );
}

/** When a job that waits will start; its place in the queue where that cannot be told. */
function startOf(
  job: IJob,
  now: Date,
  trans: ITraining['trans'],
  locale: string | undefined
): string {
  if (typeof job.starts_in_s === 'number') {
    const at = new Date(now.getTime() + job.starts_in_s * 1000);
    return trans.__('starts about %1', moment(at.toISOString(), now, locale));
  }
  return job.queue_position !== null
    ? trans.__('place %1', figure(job.queue_position))
    : '';
}

interface IDetails {
  left: string;
  right: string;
  reason: string | null;
}

function details(
  job: IJob,
  now: Date,
  { trans, model, locale }: ITraining
): IDetails {
  const onGpu = job.gpus.length ? model.gpu(job.gpus[0])?.model : undefined;
  // What others do for it needs nothing by itself.
  const parts =
    job.children === null ? [shortResources(job, onGpu, trans)] : [];
  const far = ofChildren(job, trans);
  if (job.job_type !== 'single' && !far) {
    parts.unshift(typeWord(job.job_type, trans));
  }
  const left = parts.join(' · ');
  const measured = far ? '' : headline(job);
  switch (job.status) {
    case 'running': {
      const rest = leftText(job, now, trans);
      const ran = ranFor(job, now);
      const progress = progressOf(job);
      return {
        left: [
          far || (progress === null ? '' : trans.__('%1 %', progress)),
          measured,
          left
        ]
          .filter(Boolean)
          .join(' · '),
        right:
          rest ??
          (ran === null ? '' : trans.__('for %1', duration(ran, trans))),
        reason: warning(job, now, trans, locale)
      };
    }
    case 'scheduled':
      return { left, right: '', reason: null };
    case 'pending':
      return {
        left,
        right: startOf(job, now, trans, locale),
        reason: job.reason
      };
    case 'retrying':
      return {
        left: trans.__(
          'attempt %1 of %2',
          // Those that were nobody's fault, or before it was run again, do not count.
          job.retry_count + 1,
          job.max_retries + 1
        ),
        right: job.next_attempt_at
          ? trans.__(
              'in %1',
              duration(
                (Date.parse(job.next_attempt_at) - now.getTime()) / 1000,
                trans
              )
            )
          : '',
        reason: job.reason
      };
    default: {
      const ran = ranFor(job, now);
      return {
        left: [far, measured, left].filter(Boolean).join(' · '),
        right: [
          ran !== null ? duration(ran, trans) : '',
          job.completed_at ? moment(job.completed_at, now, locale) : ''
        ]
          .filter(Boolean)
          .join(' · '),
        reason: job.status === 'failed' ? job.reason : null
      };
    }
  }
}

/** What somebody should know of a job that runs, or nothing. */
function warning(
  job: IJob,
  now: Date,
  trans: ITraining['trans'],
  locale: string | undefined
): string | null {
  if (job.cancel_requested_at !== null) {
    return job.reason;
  }
  if (job.hung_since) {
    return trans.__(
      '▲ It has printed and done nothing since %1',
      moment(job.hung_since, now, locale)
    );
  }
  return job.idle_since
    ? trans.__(
        '▲ Its GPUs have done nothing since %1',
        moment(job.idle_since, now, locale)
      )
    : null;
}

/** How far a job is that is made of others, and what a search has found. */
function ofChildren(job: IJob, trans: ITraining['trans']): string {
  const { search, children } = job;
  if (search) {
    const { done, trials, best, metric } = search;
    return [
      trials === null
        ? trans.__('%1 trials', done)
        : trans.__('%1 of %2 trials', done, trials),
      best && trans.__('best %1 %2', metric, figure(Number(best.value)))
    ]
      .filter(Boolean)
      .join(' · ');
  }
  if (children) {
    const all = Object.values(children).reduce((sum, one) => sum + one, 0);
    return trans.__('%1 of %2 stages', children.completed ?? 0, all);
  }
  return '';
}

/** The metric that says most in a row: the first one, which is mostly the loss. */
function headline(job: IJob): string {
  const [name, value] = Object.entries(job.metrics ?? {})[0] ?? [];
  return name === undefined || value === undefined
    ? ''
    : `${name} ${figure(Number(value))}`;
}
