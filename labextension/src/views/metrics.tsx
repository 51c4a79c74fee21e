/**
 * The metrics of a job, or of several ones next to each other.
 */
import React, { useMemo, useState } from 'react';

import { Chart } from '../charts/chart';
import { figures, type ICurve, type IFigure } from '../charts/curves';
import { Attempts } from '../components/attempts';
import { told, useTraining } from '../components/context';
import { type IFetched, useFetched } from '../components/fetched';
import { figure, mark } from '../model/times';
import type { IJob, IMetrics } from '../model/types';

/** How often to ask what a running job has measured, of which no event tells. */
export const LIVE_MS = 5000;

/** What an attempt has measured, as it goes on; by default the latest one. */
export function useMetrics(job: IJob, chosen?: number): IFetched<IMetrics> {
  const { model } = useTraining();
  const attempt = chosen ?? job.attempt;
  const isLive = job.status === 'running' && attempt === job.attempt;
  return useFetched(
    () => model.api.metrics(job.job_id, attempt || undefined),
    `${job.job_id} ${attempt}`,
    `${job.status} ${job.progress} ${job.attempt}`,
    { everyMs: isLive ? LIVE_MS : null }
  );
}

export interface ISettings {
  axis: 'step' | 'time';
  isLog: boolean;
  smoothing: number;
}

export const DEFAULTS: ISettings = { axis: 'step', isLog: false, smoothing: 0 };

export function ChartSettings(props: {
  value: ISettings;
  onChange: (value: ISettings) => void;
}): React.JSX.Element {
  const { trans } = useTraining();
  const { value, onChange } = props;
  return (
    <div
      className="jp-TrainingChart-settings"
      role="toolbar"
      aria-label={trans.__('Charts')}
    >
      <label>
        {trans.__('Over')}{' '}
        <select
          className="jp-mod-styled"
          value={value.axis}
          onChange={event =>
            onChange({
              ...value,
              axis: event.target.value as ISettings['axis']
            })
          }
        >
          <option value="step">{trans.__('step')}</option>
          <option value="time">{trans.__('time')}</option>
        </select>
      </label>
      <label>
        <input
          type="checkbox"
          checked={value.isLog}
          onChange={event =>
            onChange({ ...value, isLog: event.target.checked })
          }
        />{' '}
        {trans.__('Logarithmic')}
      </label>
      <label>
        {trans.__('Smoothing')}{' '}
        <input
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={value.smoothing}
          onChange={event =>
            onChange({ ...value, smoothing: Number(event.target.value) })
          }
        />{' '}
        {value.smoothing.toFixed(2)}
      </label>
    </div>
  );
}

export function Figures(props: {
  shown: readonly IFigure[];
  settings: ISettings;
}): React.JSX.Element {
  const { trans } = useTraining();
  const { settings } = props;
  return (
    <div className="jp-TrainingChart-grid">
      {props.shown.map(({ title, curves }) => (
        <Chart
          key={title}
          title={title}
          curves={curves}
          trans={trans}
          isLog={settings.isLog}
          smoothing={settings.smoothing}
          xText={(x, step) =>
            settings.axis === 'step' ? figure(x) : mark(x, step, trans)
          }
          isOverTime={settings.axis === 'time'}
        />
      ))}
    </div>
  );
}

export function MetricsTab({ job }: { job: IJob }): React.JSX.Element {
  const training = useTraining();
  const { trans } = training;
  const [chosen, setChosen] = useState<number | undefined>();
  const { value: metrics, error } = useMetrics(job, chosen);
  const [settings, setSettings] = useState(DEFAULTS);
  const started = chosen === undefined ? job.started_at : null;
  const shown = useMemo(
    () => figures(metrics?.series ?? [], settings.axis, started),
    [metrics, settings.axis, started]
  );
  const attempts = job.attempt > 1 && (
    <div className="jp-Training-tools">
      <Attempts
        count={job.attempt}
        current={chosen ?? job.attempt}
        onChange={one => setChosen(one === job.attempt ? undefined : one)}
      />
    </div>
  );
  if (!shown.length) {
    return (
      <>
        {attempts}
        <p className="jp-Training-note">
          {error ||
            (metrics === null
              ? trans.__('Loading…')
              : trans.__(
                  'No metrics yet. They are read from what the script prints, such as “epoch 3 loss: 0.41”, or from %1.',
                  'jupyter_training.report(step=…, loss=…)'
                ))}
        </p>
      </>
    );
  }
  return (
    <>
      {attempts}
      <ChartSettings value={settings} onChange={setSettings} />
      {metrics?.notices.map(notice => (
        <p key={notice} className="jp-Training-note">
          {told(notice, training)}
        </p>
      ))}
      <Figures shown={shown} settings={settings} />
    </>
  );
}

/** One curve per job in each picture. */
export function compared(
  several: readonly {
    name: string;
    started: string | null;
    metrics: IMetrics;
  }[],
  axis: ISettings['axis']
): IFigure[] {
  const found = new Map<string, ICurve[]>();
  for (const { name, started, metrics } of several) {
    for (const one of figures(metrics.series, axis, started)) {
      for (const curve of one.curves) {
        const curves = found.get(curve.name) ?? [];
        const isTaken = curves.some(other => other.name === name);
        curves.push({
          ...curve,
          name: isTaken ? `${name} (${curves.length + 1})` : name
        });
        found.set(curve.name, curves);
      }
    }
  }
  return [...found].map(([title, curves]) => ({ title, curves }));
}
