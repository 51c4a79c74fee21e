/**
 * A job at a glance: how far, on what, why or why not, its first curves and the end of its log.
 */
import React, { useMemo } from 'react';

import { figures } from '../charts/curves';
import {
  Button,
  told,
  useNow,
  usePacedSignal,
  useTraining
} from '../components/context';
import type { LogFollower } from '../log/follower';
import { spansOf } from '../log/spans';
import { LEAST_MS } from '../log/viewer';
import {
  duration,
  figure,
  fullMoment,
  moment,
  progressOf,
  progressText,
  ranFor,
  remaining,
  size
} from '../model/times';
import { type IJob, isActive } from '../model/types';
import { causeWord, resourcesWord, typeWord } from '../model/words';
import { DEFAULTS, Figures, useMetrics } from './metrics';
import { Stages } from './stages';
import { TrialSummary } from './trials';

const TAIL_LINES = 8;
const FIGURES = 2;

export function OverviewTab(props: {
  job: IJob;
  follower: LogFollower;
  onLog: () => void;
}): React.JSX.Element {
  const training = useTraining();
  const { trans } = training;
  const { job } = props;
  const { value: metrics } = useMetrics(job);
  const shown = useMemo(
    () =>
      figures(metrics?.series ?? [], 'step', job.started_at).slice(0, FIGURES),
    [metrics, job.started_at]
  );
  return (
    <div className="jp-Training-overview">
      {isActive(job) && job.status !== 'running' && job.reason && (
        <p className="jp-Training-why" role="note">
          <b>{trans.__('Why it is not running:')}</b>{' '}
          {told(job.reason, training)}
          <Start job={job} />
        </p>
      )}
      {job.status === 'running' && (job.hung_since || job.idle_since) && (
        <p className="jp-Training-why jp-mod-warning" role="note">
          {told(job.reason ?? '', training)}
        </p>
      )}
      {job.status === 'failed' && job.reason && (
        <p className="jp-Training-why jp-mod-failed" role="note">
          <b>{job.cause ? causeWord(job.cause, trans) : trans.__('failed')}:</b>{' '}
          {told(job.reason, training)}
        </p>
      )}
      <Facts job={job} />
      {job.job_type === 'pipeline' && <Stages job={job} />}
      {job.job_type === 'hyperparameter' && <TrialSummary job={job} />}
      {shown.length > 0 && <Figures shown={shown} settings={DEFAULTS} />}
      {job.attempt > 0 && (
        <>
          <Tail follower={props.follower} />
          <Button onClick={props.onLog}>{trans.__('View log')}</Button>
        </>
      )}
    </div>
  );
}

/** When it will start, as far as that can be told. */
function Start({ job }: { job: IJob }): React.JSX.Element | null {
  const { trans, model, locale } = useTraining();
  const now = useNow(30_000);
  const seconds = job.starts_in_s ?? null;
  if (seconds === null) {
    return null;
  }
  const at = moment(
    new Date(now.getTime() + seconds * 1000).toISOString(),
    now,
    locale
  );
  const after = job.starts_after ?? null;
  const when =
    seconds < 60
      ? trans.__('any moment')
      : trans.__('in about %1, at %2', duration(seconds, trans), at);
  return (
    <>
      <br />
      <b>{trans.__('It will probably start:')}</b>{' '}
      {after === null
        ? when
        : trans.__(
            '%1, when %2 has ended',
            when,
            model.find(after)?.name ?? after
          )}
    </>
  );
}

function Facts({ job }: { job: IJob }): React.JSX.Element {
  const { trans, model, locale } = useTraining();
  const now = useNow(isActive(job) ? 1000 : null);
  const ran = ranFor(job, now);
  const rest = remaining(job, now);
  const cards = job.gpus.map(uuid => model.gpu(uuid));
  const facts: [string, string | null][] = [
    [
      trans.__('Progress'),
      job.started_at === null || (progressOf(job) === null && !isActive(job))
        ? null
        : progressText(job, trans)
    ],
    [trans.__('Remaining'), rest === null ? null : remainingText()],
    [trans.__('Has run for'), ran === null ? null : duration(ran, trans)],
    [trans.__('Place in the queue'), job.queue_position?.toString() ?? null],
    [trans.__('Type'), typeWord(job.job_type, trans)],
    [
      trans.__('Resources'),
      job.children === null ? resourcesWord(job, trans) : null
    ],
    [
      trans.__('Nodes'),
      job.nodes > 1 || job.ranks > 1
        ? trans.__('%1, with %2 processes', job.nodes, job.ranks)
        : null
    ],
    [
      trans.__('GPUs'),
      cards.length
        ? cards.map((card, place) => card?.index ?? job.gpus[place]).join(', ')
        : null
    ],
    [trans.__('Machine'), job.node],
    [
      trans.__('Peak memory'),
      job.peak_memory_bytes
        ? trans.__('%1 of %2 GB', size(job.peak_memory_bytes), job.memory_gb)
        : null
    ],
    [
      trans.__('GPU-hours'),
      // Of all its nodes; what others do for it holds nothing by itself.
      job.gpus.length && job.children === null && ran !== null
        ? figure(Number(((job.gpus.length * ran) / 3600).toFixed(2)))
        : null
    ],
    [
      trans.__('Attempt'),
      job.children === null && job.attempt > 0
        ? trans.__(
            '%1, with %2 of %3 retries used',
            job.attempt,
            job.retry_count,
            job.max_retries
          )
        : null
    ],
    [trans.__('Exit code'), job.exit_code?.toString() ?? null],
    [trans.__('Submitted'), fullMoment(job.submitted_at, locale)],
    [
      trans.__('Ended'),
      job.completed_at === null ? null : fullMoment(job.completed_at, locale)
    ]
  ];
  return (
    <dl className="jp-Training-facts">
      {facts
        .filter(([, value]) => value !== null)
        .map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );

  function remainingText(): string {
    const { remaining_low_s: low, remaining_high_s: high } = job;
    const done = new Date(now.getTime() + (rest ?? 0) * 1000).toISOString();
    const about =
      typeof low !== 'number' || typeof high !== 'number'
        ? trans.__('about %1', duration(rest ?? 0, trans))
        : low < 1
          ? trans.__('at most %1', duration(Math.max(high, 1), trans))
          : trans.__('%1 to %2', duration(low, trans), duration(high, trans));
    return trans.__('%1, until %2', about, moment(done, now, locale));
  }
}

function Tail({
  follower
}: {
  follower: LogFollower;
}): React.JSX.Element | null {
  const { trans } = useTraining();
  const { buffer } = follower;
  usePacedSignal(LEAST_MS, buffer.changed);
  if (!buffer.length) {
    return null;
  }
  const first = Math.max(0, buffer.length - TAIL_LINES);
  const lines = Array.from({ length: buffer.length - first }, (_, place) =>
    buffer.line(first + place)
  );
  return (
    <div
      className="jp-Training-tail jp-RenderedText"
      role="region"
      tabIndex={0}
      aria-label={trans.__('The end of the log')}
    >
      <pre>
        {lines.map((line, place) => (
          <div key={first + place}>
            {spansOf(line).map((span, index) => (
              <span
                key={index}
                className={span.classes || undefined}
                style={span.style}
              >
                {span.text}
              </span>
            ))}
            {line === '' && ' '}
          </div>
        ))}
      </pre>
    </div>
  );
}
