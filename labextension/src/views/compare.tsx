/**
 * The metrics of several jobs in the same charts.
 */
import { ReactWidget } from '@jupyterlab/ui-components';
import React, { useEffect, useMemo, useState } from 'react';

import {
  type ITraining,
  TrainingProvider,
  useSignal,
  useTraining
} from '../components/context';
import type { ApiError } from '../model/api';
import type { IJobEvent, IMetrics } from '../model/types';
import { ChartSettings, compared, DEFAULTS, Figures } from './metrics';

interface ICompared {
  name: string;
  started: string | null;
  metrics: IMetrics;
}

export class CompareView extends ReactWidget {
  constructor(
    private readonly training: ITraining,
    readonly jobIds: readonly string[]
  ) {
    super();
    this.addClass('jp-Training');
    this.addClass('jp-Training-view');
  }

  protected render(): React.JSX.Element {
    return (
      <TrainingProvider value={this.training}>
        <Compare ids={this.jobIds} widget={this} />
      </TrainingProvider>
    );
  }
}

function Compare(props: {
  ids: readonly string[];
  widget: CompareView;
}): React.JSX.Element {
  const { trans, model } = useTraining();
  const [several, setSeveral] = useState<ICompared[] | null>(null);
  const [error, setError] = useState('');
  const [settings, setSettings] = useState(DEFAULTS);
  const [version, setVersion] = useState(0);
  useSignal(model.changed);
  const { ids, widget } = props;

  useEffect(() => {
    const onEvent = (_: unknown, event: IJobEvent): void => {
      if (ids.includes(event.job_id) && widget.isVisible) {
        setVersion(known => known + 1);
      }
    };
    model.jobChanged.connect(onEvent);
    return () => {
      model.jobChanged.disconnect(onEvent);
    };
  }, [ids, model, widget]);

  useEffect(() => {
    let isCurrent = true;
    const one = async (id: string): Promise<ICompared> => {
      const [job, metrics] = await Promise.all([
        model.api.job(id),
        model.api.metrics(id)
      ]);
      return { name: job.name, started: job.started_at, metrics };
    };
    Promise.all(ids.map(one)).then(
      loaded => isCurrent && setSeveral(loaded),
      (refused: ApiError) => isCurrent && setError(refused.message)
    );
    return () => {
      isCurrent = false;
    };
  }, [ids, model, version]);

  const shown = useMemo(
    () => compared(several ?? [], settings.axis),
    [several, settings.axis]
  );
  return (
    <div className="jp-Training-tabPanel">
      <ChartSettings value={settings} onChange={setSettings} />
      {shown.length === 0 && (
        <p className="jp-Training-note">
          {error ||
            (several === null
              ? trans.__('Loading…')
              : trans.__('These jobs have no metrics.'))}
        </p>
      )}
      <Figures shown={shown} settings={settings} />
    </div>
  );
}
