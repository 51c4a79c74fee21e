/**
 * The metrics of several jobs in the same charts.
 */
import type { IDisposable } from '@lumino/disposable';
import React, { useEffect, useMemo, useState } from 'react';

import {
  type ITraining,
  TrainingProvider,
  useTraining
} from '../components/context';
import { useFetched } from '../components/fetched';
import { ShownWidget, WhileShown } from '../components/shown';
import type { TrainingApi } from '../model/api';
import { ApiError } from '../model/errors';
import { type IMetrics, isActive } from '../model/types';
import { ChartSettings, compared, DEFAULTS, Figures, LIVE_MS } from './metrics';

interface ICompared {
  name: string;
  started: string | null;
  isActive: boolean;
  metrics: IMetrics;
}

export class CompareView extends ShownWidget {
  constructor(
    private readonly training: ITraining,
    readonly jobIds: readonly string[]
  ) {
    super();
    this.addClass('jp-Training');
    this.addClass('jp-Training-view');
  }

  protected watch(): IDisposable {
    return this.training.model.watch();
  }

  protected render(): React.JSX.Element {
    return (
      <TrainingProvider value={this.training}>
        <WhileShown widget={this}>
          <Compare ids={this.jobIds} />
        </WhileShown>
      </TrainingProvider>
    );
  }
}

/** What a job has measured; null if there is no such job any more. */
async function metricsOf(
  api: TrainingApi,
  id: string
): Promise<ICompared | null> {
  try {
    const [job, metrics] = await Promise.all([api.job(id), api.metrics(id)]);
    return {
      name: job.name,
      started: job.started_at,
      isActive: isActive(job),
      metrics
    };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      return null;
    }
    throw error;
  }
}

function Compare({ ids }: { ids: readonly string[] }): React.JSX.Element {
  const { trans, model } = useTraining();
  const [settings, setSettings] = useState(DEFAULTS);
  const [isLive, setLive] = useState(true);
  const { value: found, error } = useFetched(
    () => Promise.all(ids.map(id => metricsOf(model.api, id))),
    ids.join(),
    null,
    {
      isAbout: event => ids.includes(event.job_id),
      everyMs: isLive ? LIVE_MS : null
    }
  );
  const several = useMemo(
    () => found?.filter(one => one !== null) ?? [],
    [found]
  );
  useEffect(() => setLive(several.some(one => one.isActive)), [several]);
  const gone = found === null ? 0 : found.length - several.length;
  const silent = several.filter(one => !one.metrics.series.length);

  const shown = useMemo(
    () => compared(several, settings.axis),
    [several, settings.axis]
  );
  return (
    <div className="jp-Training-tabPanel">
      <ChartSettings value={settings} onChange={setSettings} />
      {gone > 0 && (
        <p className="jp-Training-note">
          {trans.__('Jobs that are not there any more: %1', gone)}
        </p>
      )}
      {shown.length > 0 && silent.length > 0 && (
        <p className="jp-Training-note">
          {trans.__(
            'Without metrics: %1',
            silent
              .map(one => one.name)
              .reduce((one, other) => trans.__('%1, %2', one, other))
          )}
        </p>
      )}
      {shown.length === 0 && (
        <p className="jp-Training-note">
          {error ||
            (found === null
              ? trans.__('Loading…')
              : trans.__('These jobs have no metrics.'))}
        </p>
      )}
      <Figures shown={shown} settings={settings} />
    </div>
  );
}
