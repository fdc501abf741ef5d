/** A compute target in the main area: how it is, its nodes, its jobs, what happened, its log. */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Target } from '../api';
import { useClock } from '../components/clock';
import { Document, DocumentView } from '../components/document';
import { kindIcon } from '../components/icons';
import { LogView } from '../components/logview';
import { repeated } from '../components/repeated';
import { useSignal } from '../components/signal';
import { Pill } from '../components/state';
import { TabBody, Tabs, type ITab } from '../components/tabs';
import { isOver, JobManager } from '../jobs/manager';
import { jobsOf } from './actions';
import { EventsView } from './eventsview';
import { kindText, kindWord, nodeHours, stateText, stopNotice, tone } from './format';
import { JobsView } from './jobsview';
import {
  ComputeManager,
  currentStep,
  isChanging,
  isMachine,
  isManaged,
  isOff,
  type Verb
} from './manager';
import { NodesView } from './nodesview';
import { Overview } from './overview';
import { CommandIDs } from './tokens';
import { useFigures } from './usefigures';

/** Milliseconds between two readings of the log while it is looked at. */
const LOG_PACE = 2000;

export interface IDocumentOptions {
  name: string;
  manager: ComputeManager;
  jobs: JobManager;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** The document of a target, as JupyterLab's shell has it. */
export class ComputeDocument extends Document<TargetView> {
  constructor(options: IDocumentOptions) {
    const { name, manager, trans } = options;
    super(new TargetView(options), {
      id: `perijove-compute-${name}`,
      icon: kindIcon(manager.get(name)?.kind ?? ''),
      label: name,
      caption: trans.__('Compute target %1', name)
    });
  }

  get name(): string {
    return this.content.name;
  }
}

class TargetView extends DocumentView {
  constructor(private _options: IDocumentOptions) {
    super();
  }

  get name(): string {
    return this._options.name;
  }

  protected render(): React.ReactElement {
    return <View {...this._options} shown={this.isVisible} />;
  }
}

type Tab = 'overview' | 'nodes' | 'jobs' | 'events' | 'log';

function View(props: IDocumentOptions & { shown: boolean }): React.ReactElement {
  const { manager, jobs, trans, name } = props;
  useSignal(manager.changed);
  useSignal(jobs.changed);
  const figures = useFigures(manager, name, props.shown);
  const [tab, setTab] = React.useState<Tab>('overview');
  const target = manager.get(name);
  if (!target) {
    return manager.isReady ? (
      <div className="jp-perijove-empty">
        <h2>{trans.__('This compute target was deleted')}</h2>
        <p>{trans.__('The results of its jobs are kept.')}</p>
      </div>
    ) : (
      <div className="jp-perijove-loading" aria-busy="true">
        <div />
        <div />
      </div>
    );
  }
  const own = jobsOf(jobs, name);
  const tabs: ITab<Tab>[] = [
    { key: 'overview', label: trans.__('Overview') },
    { key: 'jobs', label: trans.__('Jobs'), count: own.filter(job => !isOver(job)).length }
  ];
  if (isManaged(target)) {
    const { length } = figures.nodes;
    const count = isMachine(target) ? 0 : length; // one machine is one node: nothing to count
    tabs.splice(1, 0, { key: 'nodes', label: trans.__('Nodes'), count });
    tabs.push({ key: 'events', label: trans.__('Events') }, { key: 'log', label: trans.__('Log') });
  }
  const shown = tabs.some(({ key }) => key === tab) ? tab : tabs[0].key;
  return (
    <>
      <Header {...props} target={target} />
      <Tabs<Tab> tabs={tabs} current={shown} onChange={setTab} />
      <TabBody<Tab> tabs={tabs} current={shown}>
        {shown === 'log' ? (
          <TargetLog {...props} />
        ) : (
          <div className="jp-perijove-scroll">
            {shown === 'nodes' && (
              <NodesView {...props} target={target} own={own} figures={figures} />
            )}
            {shown === 'jobs' && <JobsView {...props} own={own} nodes={figures.nodes} />}
            {shown === 'events' && <EventsView {...props} target={target} />}
            {shown === 'overview' && <Overview {...props} target={target} figures={figures} />}
          </div>
        )}
      </TabBody>
    </>
  );
}

function Header(props: IDocumentOptions & { target: Target }): React.ReactElement {
  const { manager, target, trans, commands } = props;
  const button = (id: string, verb: Verb, label: string, kind = 'jp-mod-minimal') => (
    <button
      className={`jp-Button jp-mod-styled ${kind}`}
      disabled={!manager.allows(verb, target)}
      onClick={() => void commands.execute(id, { name: target.name })}
    >
      {label}
    </button>
  );
  const nodes = trans.__(
    '%1 busy · %2 up · %3 to %4',
    target.busy_nodes,
    target.current_nodes,
    target.min_nodes,
    target.max_nodes
  );
  const facts: [string, string][] = isManaged(target)
    ? [
        isMachine(target) ? [trans.__('Slots'), String(target.slots)] : [trans.__('Nodes'), nodes],
        [trans.__('Jobs'), trans.__('%1 running', target.running_jobs)],
        [trans.__('Queue'), String(target.queued_jobs)],
        [trans.__('Cost'), nodeHours(target, trans)]
      ]
    : [
        [trans.__('Slots'), String(target.slots)],
        [trans.__('Jobs'), trans.__('%1 running', target.running_jobs)],
        [trans.__('Queue'), String(target.queued_jobs)]
      ];
  return (
    <div className="jp-perijove-title">
      <div>
        <h1 title={target.name}>{target.name}</h1>
        <Pill tone={tone(target)} label={stateText(target, trans)} />
        <span className="jp-perijove-count">
          {kindText(target, trans) || kindWord(target, trans)}
        </span>
        {isManaged(target) && (
          <div className="jp-perijove-verbs">
            {button(CommandIDs.remove, 'delete', trans.__('Delete…'))}
            {commands.isEnabled(CommandIDs.terminal, { name: target.name }) && (
              <button
                className="jp-Button jp-mod-styled jp-mod-minimal"
                onClick={() => void commands.execute(CommandIDs.terminal, { name: target.name })}
              >
                {trans.__('Terminal')}
              </button>
            )}
            {manager.allows('restart', target) &&
              button(CommandIDs.restart, 'restart', trans.__('Restart'))}
            {target.kind === 'cluster' && button(CommandIDs.scale, 'scale', trans.__('Scale…'))}
            {isOff(target)
              ? button(CommandIDs.start, 'start', trans.__('Start'), 'jp-mod-accept')
              : button(CommandIDs.stop, 'stop', trans.__('Stop'))}
          </div>
        )}
      </div>
      <div className="jp-perijove-facts">
        {facts.map(([label, value]) => (
          <span key={label} title={value}>
            {label} <b>{value}</b>
          </span>
        ))}
      </div>
      <Banners {...props} />
    </div>
  );
}

/** What is wrong, what is being done, and the stop that is announced. */
function Banners(props: IDocumentOptions & { target: Target }): React.ReactElement {
  const { target, trans, commands } = props;
  const stop = stopNotice(target, trans);
  useClock(stop ? 10_000 : 0);
  const isWrong = isOff(target) || target.state === 'unusable';
  const text = isChanging(target) ? currentStep(target) : target.message;
  return (
    <>
      {text && (
        <div
          className={`jp-perijove-banner${isWrong ? '' : ' jp-mod-info'}`}
          role={isWrong ? 'alert' : 'status'}
        >
          <span>{text}</span>
        </div>
      )}
      {stop && (
        <div className="jp-perijove-banner jp-mod-warn" role="status">
          <span>{stop}</span>
          <button
            className="jp-Button jp-mod-styled"
            onClick={() => void commands.execute(CommandIDs.keep, { name: target.name })}
          >
            {trans.__('Keep running')}
          </button>
        </div>
      )}
    </>
  );
}

/** The log, read again and again while it is looked at. */
function TargetLog({ manager, name, trans }: IDocumentOptions): React.ReactElement {
  const [text, setText] = React.useState('');
  React.useEffect(
    () =>
      repeated(async isLeft => {
        const said = document.hidden ? null : await manager.log(name).catch(() => null);
        if (said !== null && !isLeft()) {
          setText(said);
        }
        return true;
      }, LOG_PACE),
    [manager, name]
  );
  return <LogView text={text} active={true} trans={trans} />;
}
