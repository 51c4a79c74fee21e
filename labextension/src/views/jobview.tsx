/**
 * The view of one job in the main area.
 */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import React, { useEffect } from 'react';

import {
  Button,
  type ITraining,
  TrainingProvider,
  useSignal,
  useTraining
} from '../components/context';
import { StatusIcon } from '../components/icons';
import { Progress } from '../components/progress';
import { Tabs } from '../components/tabs';
import { LogBuffer } from '../log/buffer';
import { LogFollower } from '../log/follower';
import { LogViewer } from '../log/viewer';
import { JobModel } from '../model/job';
import { fullMoment, size } from '../model/times';
import { isActive } from '../model/types';
import { statusWord } from '../model/words';
import { CodeTab } from './code';
import { HistoryTab } from './history';
import { MetricsTab } from './metrics';
import { OutputsTab } from './outputs';
import { OverviewTab } from './overview';

export type TabName =
  'overview' | 'log' | 'metrics' | 'history' | 'outputs' | 'code';

export class JobView extends ReactWidget {
  constructor(
    private readonly training: ITraining,
    readonly jobId: string,
    tab: TabName = 'overview'
  ) {
    super();
    this.addClass('jp-Training');
    this.addClass('jp-Training-view');
    this.currentTab = tab;
    const { trans } = training;
    this.job = new JobModel(training.model, jobId);
    this.follower = new LogFollower(
      new LogBuffer(),
      jobId,
      training.model.api,
      training.connect,
      {
        skipped: (bytes, kept) =>
          kept
            ? trans.__(
                '… %1 came too fast to be shown; the download has them',
                size(bytes)
              )
            : trans.__(
                '… %1 are gone: the log had reached its limit',
                size(bytes)
              )
      }
    );
  }

  readonly job: JobModel;
  readonly follower: LogFollower;
  /** The tab that is open has changed. */
  readonly tabChanged = new Signal<this, void>(this);

  get tab(): TabName {
    return this.currentTab;
  }

  set tab(tab: TabName) {
    if (tab !== this.currentTab) {
      this.currentTab = tab;
      this.tabChanged.emit();
    }
  }

  override dispose(): void {
    this.stopWatching();
    this.job.dispose();
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.startWatching();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this.startWatching();
    }
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.stopWatching();
  }

  protected override onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.stopWatching();
  }

  protected render(): React.JSX.Element {
    return (
      <TrainingProvider value={this.training}>
        <View view={this} />
      </TrainingProvider>
    );
  }

  private startWatching(): void {
    this.watching ??= this.job.watch();
    this.follower.resume();
  }

  private stopWatching(): void {
    this.watching?.dispose();
    this.watching = null;
    this.follower.stop();
  }

  private watching: IDisposable | null = null;
  private currentTab: TabName;
}

function View({ view }: { view: JobView }): React.JSX.Element {
  const { trans, locale, execute } = useTraining();
  useSignal(view.job.changed, view.tabChanged);
  const { job, history, error, isGone } = view.job;
  const { follower } = view;

  // A job that is run again prints again.
  const attempt = job?.attempt ?? 0;
  useEffect(() => {
    if (
      follower.state === 'ended' &&
      follower.attempt !== null &&
      attempt > follower.attempt
    ) {
      follower.start();
    }
  }, [attempt, follower]);

  if (job === null) {
    return (
      <p className="jp-Training-note" role="status">
        {isGone
          ? trans.__('This job is not there any more.')
          : error || trans.__('Loading…')}
      </p>
    );
  }
  const id = job.job_id;
  const version = `${job.status} ${job.progress} ${job.attempt}`;
  const run = (command: string) => (): void => execute(command, { job: id });
  return (
    <>
      <div className="jp-Training-header">
        <h2>{job.name}</h2>
        <span className={`jp-Training-tag jp-Training-is-${job.status}`}>
          <StatusIcon status={job.status} /> {statusWord(job.status, trans)}
        </span>
        <span className="jp-Training-left jp-Training-second">
          {trans.__(
            '%1 · attempt %2 · submitted %3',
            id,
            job.attempt,
            fullMoment(job.submitted_at, locale)
          )}
        </span>
        <Button onClick={run('training:duplicate')}>
          {trans.__('Duplicate and edit…')}
        </Button>
        {isActive(job) ? (
          <Button
            kind="warn"
            disabled={job.cancel_requested_at !== null}
            onClick={run('training:cancel')}
          >
            {job.cancel_requested_at === null
              ? trans.__('Cancel')
              : trans.__('Cancelling…')}
          </Button>
        ) : (
          <>
            <Button onClick={run('training:retry')}>
              {trans.__('Run again')}
            </Button>
            <Button kind="warn" onClick={run('training:delete')}>
              {trans.__('Delete…')}
            </Button>
          </>
        )}
      </div>
      {isGone && (
        <p className="jp-Training-trouble" role="alert">
          {trans.__('This job is not there any more.')}
        </p>
      )}
      {error && !isGone && (
        <p className="jp-Training-trouble" role="alert">
          {error}
        </p>
      )}
      {isActive(job) && (
        <Progress job={job} label={trans.__('Progress of %1', job.name)} />
      )}
      <Tabs
        label={trans.__('What to see of %1', job.name)}
        current={view.tab}
        onChange={key => (view.tab = key as TabName)}
        tabs={[
          { key: 'overview', label: trans.__('Overview') },
          { key: 'log', label: trans.__('Log') },
          { key: 'metrics', label: trans.__('Metrics') },
          { key: 'history', label: trans.__('Attempts and history') },
          { key: 'outputs', label: trans.__('Outputs') },
          { key: 'code', label: trans.__('Code') }
        ]}
      >
        {view.tab === 'overview' && (
          <OverviewTab
            job={job}
            version={version}
            follower={follower}
            onLog={() => (view.tab = 'log')}
          />
        )}
        {view.tab === 'log' && (
          <LogViewer
            follower={follower}
            trans={trans}
            attempts={job.attempt}
            onDownload={() => void save(follower, `${job.name}.log`)}
          />
        )}
        {view.tab === 'metrics' && (
          <MetricsTab id={id} version={version} started={job.started_at} />
        )}
        {view.tab === 'history' && <HistoryTab history={history} />}
        {view.tab === 'outputs' && <OutputsTab job={job} version={version} />}
        {view.tab === 'code' && <CodeTab job={job} />}
      </Tabs>
    </>
  );
}

async function save(follower: LogFollower, name: string): Promise<void> {
  const url = URL.createObjectURL(await follower.file());
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(url);
}
