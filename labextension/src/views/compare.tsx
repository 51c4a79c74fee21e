/**
 * The metrics of several jobs in the same charts.
 */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import React, { useMemo, useState } from 'react';

import {
  type ITraining,
  TrainingProvider,
  useSignal,
  useTraining
} from '../components/context';
import type { IMetrics } from '../model/types';
import { Shown, useFetched } from '../components/fetched';
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

  /** Whether it can be seen has changed. */
  readonly shownChanged = new Signal<this, void>(this);

  override dispose(): void {
    super.dispose();
    Signal.clearData(this);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.shownChanged.emit();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.shownChanged.emit();
  }

  protected render(): React.JSX.Element {
    return (
      <TrainingProvider value={this.training}>
        <WhileShown widget={this} />
      </TrainingProvider>
    );
  }
}

function WhileShown({ widget }: { widget: CompareView }): React.JSX.Element {
  useSignal(widget.shownChanged);
  return (
    <Shown.Provider value={widget.isVisible}>
      <Compare ids={widget.jobIds} />
    </Shown.Provider>
  );
}

function Compare({ ids }: { ids: readonly string[] }): React.JSX.Element {
  const { trans, model } = useTraining();
  const [settings, setSettings] = useState(DEFAULTS);
  const one = async (id: string): Promise<ICompared> => {
    const [job, metrics] = await Promise.all([
      model.api.job(id),
      model.api.metrics(id)
    ]);
    return { name: job.name, started: job.started_at, metrics };
  };
  const { value: several, error } = useFetched(
    () => Promise.all(ids.map(one)),
    ids.join(),
    null,
    { isAbout: event => ids.includes(event.job_id) }
  );

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
