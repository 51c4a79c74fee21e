/**
 * What an attempt used of what it was given: curves, peaks and means.
 */
import React, { useMemo, useState } from 'react';

import { Chart } from '../charts/chart';
import { type IUsageFigure, usageFigures } from '../charts/usage';
import { Attempts } from '../components/attempts';
import { useTraining } from '../components/context';
import { useFetched } from '../components/fetched';
import { duration, figure, mark, size } from '../model/times';
import type { IJob, IUsage } from '../model/types';

/** How often to ask for what a running attempt uses, of which no event tells. */
const EVERY_MS = 5000;

export function ResourcesTab({ job }: { job: IJob }): React.JSX.Element {
  const { trans, model } = useTraining();
  const [chosen, setChosen] = useState<number | null>(null);
  const attempt = chosen ?? job.attempt;
  const isLive = job.status === 'running' && attempt === job.attempt;
  const { value: usage, error } = useFetched(
    () => model.api.usage(job.job_id, attempt),
    `${job.job_id} ${attempt}`,
    `${job.status} ${job.attempt}`,
    { everyMs: isLive ? EVERY_MS : null }
  );
  const shown = useMemo(
    () =>
      usage === null
        ? []
        : usageFigures(usage, (uuid, place) => {
            const card = model.gpu(uuid);
            return {
              name: trans.__('GPU %1', card?.index ?? place),
              memoryGb: card?.memory_gb ?? null
            };
          }),
    [usage, model, trans]
  );
  if (job.attempt === 0) {
    return (
      <p className="jp-Training-note">
        {trans.__('It has not run yet, so it has used nothing.')}
      </p>
    );
  }
  return (
    <div className="jp-Training-resources">
      {job.attempt > 1 && (
        <div className="jp-Training-tools">
          <Attempts
            count={job.attempt}
            current={attempt}
            onChange={one => setChosen(one === job.attempt ? null : one)}
          />
        </div>
      )}
      {usage === null || !usage.time.length ? (
        <p className="jp-Training-note">
          {error ||
            (usage === null
              ? trans.__('Loading…')
              : isLive
                ? trans.__('Its use is measured from now on …')
                : trans.__('It was too short to be measured.'))}
        </p>
      ) : (
        <>
          <Sums usage={usage} />
          <div className="jp-TrainingChart-grid">
            {shown.map(one => (
              <UsageChart key={one.quantity} shown={one} />
            ))}
          </div>
          {usage.gpus.length === 0 && (
            <p className="jp-Training-note">{trans.__('It has no GPU.')}</p>
          )}
        </>
      )}
    </div>
  );
}

function UsageChart({ shown }: { shown: IUsageFigure }): React.JSX.Element {
  const { trans } = useTraining();
  const titles = {
    cpu: trans.__('CPU cores'),
    memory: trans.__('Memory'),
    gpu: trans.__('GPU utilization'),
    gpuMemory: trans.__('GPU memory')
  };
  const words = {
    cpu: figure,
    memory: size,
    gpu: (percent: number) => trans.__('%1 %', Math.round(percent)),
    gpuMemory: size
  };
  const title = titles[shown.quantity];
  const yText = words[shown.quantity];
  const note = [
    shown.peak === null ? '' : trans.__('peak %1', yText(shown.peak)),
    shown.mean === null ? '' : trans.__('mean %1', yText(shown.mean))
  ]
    .filter(Boolean)
    .join(' · ');
  return (
    <Chart
      title={title}
      note={note}
      curves={shown.curves.map(curve => ({
        ...curve,
        name: curve.name || trans.__('used')
      }))}
      trans={trans}
      xText={(x, step) => mark(x, step, trans)}
      isOverTime
      yText={yText}
      range={shown.range}
      limit={
        shown.limit === null
          ? undefined
          : { at: shown.limit, name: trans.__('limit') }
      }
      hasGaps
      isSize={yText === size}
    />
  );
}

/** Peaks and means against what it was given. */
function Sums({ usage }: { usage: IUsage }): React.JSX.Element {
  const { trans } = useTraining();
  const { peaks, means, requested } = usage;
  const facts: [string, string | null][] = [
    [
      trans.__('CPU cores on average'),
      means.cpu_cores === null
        ? null
        : trans.__(
            '%1 of %2',
            figure(Number(means.cpu_cores.toFixed(2))),
            requested.cpu_cores
          )
    ],
    [
      trans.__('CPU time'),
      usage.cpu_seconds === null ? null : duration(usage.cpu_seconds, trans)
    ],
    [
      trans.__('Peak memory'),
      peaks.memory_bytes === null
        ? null
        : trans.__(
            '%1 of %2',
            size(peaks.memory_bytes),
            size(requested.memory_bytes)
          )
    ],
    [
      trans.__('GPU utilization on average'),
      means.gpu_utilization_percent === null
        ? null
        : trans.__('%1 %', Math.round(means.gpu_utilization_percent))
    ],
    [
      trans.__('Peak GPU memory'),
      peaks.gpu_memory_bytes === null ? null : size(peaks.gpu_memory_bytes)
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
}
