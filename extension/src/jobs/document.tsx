/** A job in the main area: what it is, the executing notebook, metrics, log, files, details. */
import type { IThemeManager } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { Contents } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import type { Job, JobEvent, JobFile } from '../api';
import { useClock } from '../components/clock';
import { Document, DocumentView } from '../components/document';
import { perijoveIcon } from '../components/icons';
import { Link } from '../components/link';
import { LogView } from '../components/logview';
import { useSignal } from '../components/signal';
import { StatePill } from '../components/state';
import { TabBody, Tabs, type ITab } from '../components/tabs';
import type { ComputeManager } from '../compute/manager';
import { useNode } from '../compute/usefigures';
import type { RunManager } from '../runs/manager';
import { CommandIDs as RunCommandIDs } from '../runs/tokens';
import { AsideView } from './asideview';
import { useBuildLog } from './buildlog';
import { DetailsView } from './detailsview';
import { FilesView } from './filesview';
import { cellText, duration, elapsed, stateText } from './format';
import { useLastRuns } from './lastruns';
import { isOver, JobManager } from './manager';
import { metricKeys, MetricsView } from './metricsview';
import { NotebookModel } from './notebook';
import { NotebookView } from './notebookview';
import { Pictures } from './pictures';
import { CommandIDs } from './tokens';

export interface IDocumentOptions {
  jobId: string;
  manager: JobManager;
  contents: Contents.IManager;
  compute: ComputeManager;
  runs: RunManager;
  commands: CommandRegistry;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry;
  themes: IThemeManager | null;
  trans: TranslationBundle;
}

/** The document of a job, as JupyterLab's shell has it. */
export class JobDocument extends Document<JobView> {
  constructor(options: IDocumentOptions) {
    const { jobId, manager } = options;
    super(new JobView(options), {
      id: `perijove-job-${jobId}`,
      icon: perijoveIcon,
      label: jobId.slice(0, 8)
    });
    const name = () => {
      const job = manager.get(jobId);
      this.title.label = job?.name ?? jobId.slice(0, 8);
      this.title.caption = job ? `${job.name}: ${stateText(job, options.trans)}` : '';
    };
    manager.changed.connect(name, this);
    name();
  }

  get jobId(): string {
    return this.content.jobId;
  }
}

class JobView extends DocumentView {
  constructor(private _options: IDocumentOptions) {
    super();
    _options.manager.event.connect(this._onEvent, this);
  }

  readonly model = new NotebookModel();
  readonly modelChanged = new Signal<this, void>(this);

  get jobId(): string {
    return this._options.jobId;
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._options.manager.unwatch(this.jobId);
      Signal.clearData(this);
      super.dispose();
    }
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._look();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._look();
  }

  protected render(): React.ReactElement {
    return <View {...this._options} view={this} shown={this.isVisible} />;
  }

  /** Ask for what happened when it is looked at: many documents may be open, few are seen. */
  private _look(): void {
    if (!this.isVisible) {
      return;
    }
    this._options.manager.watch(this.jobId);
    if (!this._looked) {
      this._looked = true;
      void this._loadMetrics();
    }
  }

  private _onEvent(_: JobManager, event: JobEvent): void {
    if (event.job_id === this.jobId) {
      this.model.apply(event);
      this.modelChanged.emit();
    }
  }

  /** The stream has what was logged while the hub listened; MLflow has all of it. */
  private async _loadMetrics(): Promise<void> {
    try {
      const metrics = await this._options.manager.metrics(this.jobId);
      for (const [key, points] of Object.entries(metrics)) {
        for (const point of points) {
          this.model.addPoint(key, point.value, point.step, point.timestamp);
        }
      }
      this.modelChanged.emit();
    } catch {
      // MLflow is away: the events are what there is
    }
  }

  private _looked = false;
}

/** Charts beside the notebook; all are a tab away. */
const ASIDE = 4;

type Tab = 'notebook' | 'metrics' | 'log' | 'files' | 'details';

function View(props: IDocumentOptions & { view: JobView; shown: boolean }): React.ReactElement {
  const { manager, view, trans, jobId } = props;
  useSignal(manager.changed);
  useSignal(view.modelChanged);
  const job = manager.get(jobId);
  const active = job ? !isOver(job) : false;
  const now = useClock(active ? 1000 : 0);
  const [tab, setTab] = React.useState<Tab>('notebook');
  const files = useFiles(manager, job);
  const path = job?.path ?? '';
  const pictures = React.useMemo(
    () => new Pictures(jobId, path, manager, props.rendermime, props.contents),
    [jobId, path]
  );
  const use = useNode(props.compute, job, active && props.shown);
  const lastRuns = useLastRuns(props.runs, job, props.shown);
  const theme = props.themes?.theme ?? '';
  const isScript = job?.kind === 'script';
  const shown: Tab = isScript && tab === 'notebook' ? 'log' : tab;
  const isMute = shown === 'log' && !view.model.log;
  const build = useBuildLog(manager, job, props.shown && isMute);
  if (!job) {
    return manager.isReady ? (
      <div className="jp-perijove-empty">
        <h2>{trans.__('This job was deleted')}</h2>
        <p>{trans.__('Its MLflow run may still be there.')}</p>
      </div>
    ) : (
      <div className="jp-perijove-loading" aria-busy="true">
        <div />
        <div />
      </div>
    );
  }
  const tabs: ITab<Tab>[] = [
    { key: 'metrics', label: trans.__('Metrics'), count: view.model.metrics.size },
    { key: 'log', label: trans.__('Log') },
    { key: 'files', label: trans.__('Files'), count: files?.length },
    { key: 'details', label: trans.__('Details') }
  ];
  if (!isScript) {
    tabs.unshift({ key: 'notebook', label: trans.__('Notebook') });
  }
  const metrics = {
    model: view.model,
    before: lastRuns.slice(1).find(run => run.status === 'FINISHED'),
    runs: props.runs,
    active,
    shown: props.shown,
    theme,
    trans
  };
  return (
    <>
      <Header {...props} job={job} now={now} />
      <Tabs<Tab> tabs={tabs} current={shown} onChange={setTab} />
      <TabBody<Tab> tabs={tabs} current={shown}>
        {shown === 'notebook' && (
          <div className="jp-perijove-split">
            <NotebookView
              model={view.model}
              now={now}
              active={active}
              pictures={pictures}
              message={job.state === 'failed' ? (job.message ?? null) : null}
              waiting={active ? (job.message ?? null) : null}
              rendermime={props.rendermime}
              languages={props.languages}
              trans={trans}
            />
            <AsideView
              metrics={
                view.model.metrics.size > 0 && (
                  <MetricsView {...metrics} most={ASIDE} onMore={() => setTab('metrics')} />
                )
              }
              metric={metricKeys(view.model)[0]}
              use={use}
              runs={lastRuns}
              trans={trans}
              onOpen={run => void props.commands.execute(RunCommandIDs.open, { runId: run.run_id })}
            />
          </div>
        )}
        {shown === 'metrics' && (
          <div className="jp-perijove-scroll">
            <MetricsView {...metrics} />
          </div>
        )}
        {shown === 'log' && (
          <LogView text={view.model.log || build} active={active} trans={trans} />
        )}
        {shown === 'files' && <FilesView job={job} files={files} manager={manager} trans={trans} />}
        {shown === 'details' && (
          <div className="jp-perijove-scroll">
            <DetailsView job={job} trans={trans} />
          </div>
        )}
      </TabBody>
    </>
  );
}

function Header(props: IDocumentOptions & { job: Job; now: number }): React.ReactElement {
  const { job, trans, commands, now } = props;
  const took = elapsed(job, now);
  const progress = [
    job.state === 'running' ? cellText(job, trans) : '',
    took === null ? '' : duration(took)
  ].filter(Boolean);
  const run = (id: string) => void commands.execute(id, { jobId: job.id });
  const parameters = Object.entries(job.parameters).map(
    ([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`
  );
  const source = job.path + (job.git_commit ? ` @ ${job.git_commit.slice(0, 7)}` : '');
  const experiment = job.experiment_id && commands.hasCommand('perijove:open-runs') && (
    <Link
      onOpen={() =>
        void commands.execute('perijove:open-runs', { experimentIds: [job.experiment_id!] })
      }
    >
      {job.experiment}
    </Link>
  );
  const facts: [string, string, React.ReactNode?][] = [
    [trans.__('Compute'), job.compute],
    [trans.__('Environment'), job.environment ?? ''],
    [trans.__('Experiment'), job.experiment, experiment],
    [trans.__('Parameters'), parameters.join(' · ')],
    [trans.__('Source'), source]
  ];
  return (
    <div className="jp-perijove-title">
      <div>
        <h1 title={job.name}>{job.name}</h1>
        <StatePill state={job.state} label={stateText(job, trans)} />
        <span className="jp-perijove-count">{progress.join(' · ')}</span>
        <div className="jp-perijove-verbs">
          {!isOver(job) && (
            <button
              className="jp-Button jp-mod-styled jp-mod-minimal"
              disabled={job.cancel_requested}
              onClick={() => run(CommandIDs.cancel)}
            >
              {job.cancel_requested ? trans.__('Canceling…') : trans.__('Cancel')}
            </button>
          )}
          <button
            className="jp-Button jp-mod-styled jp-mod-minimal"
            onClick={() => run(CommandIDs.rerun)}
          >
            {trans.__('Run again…')}
          </button>
          <button
            className="jp-Button jp-mod-styled jp-mod-accept"
            disabled={!job.run_id || !commands.hasCommand('perijove:show-run')}
            onClick={() => void commands.execute('perijove:show-run', { runId: job.run_id })}
          >
            {trans.__('Open run')}
          </button>
        </div>
      </div>
      <div className="jp-perijove-facts">
        {facts
          .filter(([, value]) => value)
          .map(([name, value, link]) => (
            <span key={name} title={value}>
              {name} <b>{link || value}</b>
            </span>
          ))}
      </div>
    </div>
  );
}

/** Its files: read when it is opened, when it ends and when it is recorded. */
function useFiles(manager: JobManager, job: Job | undefined): JobFile[] | null {
  const [files, setFiles] = React.useState<JobFile[] | null>(null);
  React.useEffect(() => {
    if (job) {
      manager.files(job.id).then(setFiles, () => setFiles([]));
    }
  }, [job?.id, job?.state, job?.recorded]);
  return files;
}
