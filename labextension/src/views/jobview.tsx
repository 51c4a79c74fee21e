/**
 * The view of one job in the main area.
 */
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
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
import { ShownWidget, WhileShown } from '../components/shown';
import { Tabs } from '../components/tabs';
import { LogBuffer } from '../log/buffer';
import { LogFollower } from '../log/follower';
import { LogViewer } from '../log/viewer';
import { JobModel } from '../model/job';
import { fullMoment, size } from '../model/times';
import { troubleText } from '../model/troubles';
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

/** Where its log is seen. */
const FOLLOWS: readonly TabName[] = ['overview', 'log'];

export class JobView extends ShownWidget {
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
    this.job.changed.connect(this.follow, this);
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
      this.follow();
      this.tabChanged.emit();
    }
  }

  override dispose(): void {
    super.dispose();
    this.job.dispose();
  }

  /** Follow the log as long as it can be seen. */
  follow(): void {
    const { job } = this.job;
    // What is made of other jobs prints nothing.
    const prints = job !== null && job.children === null;
    if (prints && this.isWatched && FOLLOWS.includes(this.currentTab)) {
      this.follower.resume();
    } else {
      this.follower.stop();
    }
  }

  protected watch(): IDisposable {
    const watching = this.job.watch();
    this.isWatched = true;
    this.follow();
    return new DisposableDelegate(() => {
      this.isWatched = false;
      this.follow();
      watching.dispose();
    });
  }

  protected render(): React.JSX.Element {
    return (
      <TrainingProvider value={this.training}>
        <WhileShown widget={this}>
          <View view={this} />
        </WhileShown>
      </TrainingProvider>
    );
  }

  private isWatched = false;
  private currentTab: TabName;
}

function View({ view }: { view: JobView }): React.JSX.Element {
  const { trans, locale, execute, attempt: tried } = useTraining();
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
      follower.reset();
      view.follow();
    }
  }, [attempt, follower, view]);

  if (job === null) {
    return (
      <p className="jp-Training-note" role="status">
        {isGone
          ? trans.__('This job is not there any more.')
          : error
            ? troubleText(error, trans)
            : trans.__('Loading…')}
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
  const submitted = fullMoment(job.submitted_at, locale);
  const about =
    job.attempt > 0
      ? trans.__('%1 · attempt %2 · submitted %3', id, job.attempt, submitted)
      : trans.__('%1 · submitted %2', id, submitted);
  const run = (command: string) => (): void => execute(command, { job: id });
  return (
    <>
      <div className="jp-Training-header">
        <h2>{job.name}</h2>
        <span className={`jp-Training-tag jp-Training-is-${job.status}`}>
          <StatusIcon status={job.status} /> {statusWord(job.status, trans)}
        </span>
        <span className="jp-Training-left jp-Training-second" title={about}>
          {about}
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
          {troubleText(error, trans)}
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
            onDownload={() =>
              void tried(() => save(follower, `${job.name}.log`))
            }
          />
        )}
        {tab === 'metrics' && <MetricsTab job={job} />}
        {tab === 'resources' && <ResourcesTab job={job} />}
        {tab === 'history' && <HistoryTab history={history} />}
        {tab === 'outputs' && <OutputsTab job={job} version={version} />}
        {tab === 'code' && <CodeTab job={job} />}
      </Tabs>
    </>
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
