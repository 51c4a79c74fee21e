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
import { Shown } from '../components/fetched';
import { StatusIcon } from '../components/icons';
import { Progress } from '../components/progress';
import { Tabs } from '../components/tabs';
import { LogBuffer } from '../log/buffer';
import { LogFollower } from '../log/follower';
import { LogViewer } from '../log/viewer';
import { JobModel } from '../model/job';
import { fullMoment, size } from '../model/times';
import { type IJob, isActive } from '../model/types';
import { statusWord } from '../model/words';
import { CodeTab } from './code';
import { HistoryTab } from './history';
import { MetricsTab } from './metrics';
import { OutputsTab } from './outputs';
import { OverviewTab } from './overview';
import { RanksTab } from './ranks';
import { ResourcesTab } from './resources';
import { StagesTab } from './stages';
import { TrialsTab } from './trials';

export type TabName =
  | 'overview'
  | 'stages'
  | 'ranks'
  | 'trials'
  | 'log'
  | 'metrics'
  | 'resources'
  | 'history'
  | 'outputs'
  | 'code';

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
    document.addEventListener('visibilitychange', this.onVisibility);
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
  /** Whether it can be seen has changed. */
  readonly shownChanged = new Signal<this, void>(this);

  /** Whether it can be seen, and the page with it. */
  get isShown(): boolean {
    return this.watching !== null && !document.hidden;
  }

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
    document.removeEventListener('visibilitychange', this.onVisibility);
    this.job.dispose();
    super.dispose();
    Signal.clearData(this);
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
    this.shownChanged.emit();
  }

  private stopWatching(): void {
    this.watching?.dispose();
    this.watching = null;
    this.follower.stop();
    this.shownChanged.emit();
  }

  private readonly onVisibility = (): void => this.shownChanged.emit();

  private watching: IDisposable | null = null;
  private currentTab: TabName;
}

function View({ view }: { view: JobView }): React.JSX.Element {
  const { trans, locale, execute } = useTraining();
  useSignal(view.job.changed, view.tabChanged, view.shownChanged);
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
  const tabs = tabsOf(job);
  // One that was open before a reload may be of no use for this job.
  const tab = tabs.includes(view.tab) ? view.tab : 'overview';
  const labels: Record<TabName, string> = {
    overview: trans.__('Overview'),
    stages: trans.__('Stages'),
    ranks: trans.__('Ranks'),
    trials: trans.__('Trials'),
    log: trans.__('Log'),
    metrics: trans.__('Metrics'),
    resources: trans.__('Resources'),
    history: trans.__('Attempts and history'),
    outputs: trans.__('Outputs'),
    code: trans.__('Code')
  };
  const run = (command: string) => (): void => execute(command, { job: id });
  return (
    <Shown.Provider value={view.isShown}>
      <div className="jp-Training-header">
        <h2>{job.name}</h2>
        <span className={`jp-Training-tag jp-Training-is-${job.status}`}>
          <StatusIcon status={job.status} /> {statusWord(job.status, trans)}
        </span>
        <span className="jp-Training-left jp-Training-second">
          {job.attempt > 0
            ? trans.__(
                '%1 · attempt %2 · submitted %3',
                id,
                job.attempt,
                fullMoment(job.submitted_at, locale)
              )
            : trans.__(
                '%1 · submitted %2',
                id,
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
        current={tab}
        onChange={key => (view.tab = key as TabName)}
        tabs={tabs.map(key => ({ key, label: labels[key] }))}
      >
        {tab === 'overview' && (
          <OverviewTab
            job={job}
            version={version}
            follower={follower}
            onLog={() => (view.tab = 'log')}
          />
        )}
        {tab === 'stages' && <StagesTab job={job} />}
        {tab === 'ranks' && (
          <RanksTab
            job={job}
            onLog={rank => {
              follower.rank = rank;
              view.tab = 'log';
            }}
          />
        )}
        {tab === 'trials' && <TrialsTab job={job} />}
        {tab === 'log' && (
          <LogViewer
            follower={follower}
            trans={trans}
            attempts={job.attempt}
            ranks={job.ranks}
            onDownload={() => void save(follower, `${job.name}.log`)}
          />
        )}
        {tab === 'metrics' && (
          <MetricsTab id={id} version={version} started={job.started_at} />
        )}
        {tab === 'resources' && <ResourcesTab job={job} />}
        {tab === 'history' && <HistoryTab history={history} />}
        {tab === 'outputs' && <OutputsTab job={job} version={version} />}
        {tab === 'code' && <CodeTab job={job} />}
      </Tabs>
    </Shown.Provider>
  );
}

/** What there is to see of a job: one that is made of others does nothing by itself. */
function tabsOf(job: IJob): TabName[] {
  const own: TabName[] = ['log', 'metrics', 'resources'];
  switch (job.job_type) {
    case 'pipeline':
      return ['overview', 'stages', 'history', 'outputs', 'code'];
    case 'hyperparameter':
      return ['overview', 'trials', 'history', 'outputs', 'code'];
    case 'distributed':
      return ['overview', 'ranks', ...own, 'history', 'outputs', 'code'];
    default:
      return ['overview', ...own, 'history', 'outputs', 'code'];
  }
}

async function save(follower: LogFollower, name: string): Promise<void> {
  const url = URL.createObjectURL(await follower.file());
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(url);
}
