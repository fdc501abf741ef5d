/** What happened to a target and when, the last first. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Target, TargetEvent } from '../api';
import { useClock } from '../components/clock';
import { Dot, type Tone } from '../components/state';
import { ago, duration } from '../jobs/format';
import { ComputeManager } from './manager';

/** Milliseconds after which the times are written anew. */
const PACE = 30_000;

export function EventsView(props: {
  target: Target;
  manager: ComputeManager;
  trans: TranslationBundle;
}): React.ReactElement {
  const { target, manager, trans } = props;
  const now = useClock(PACE);
  const [events, setEvents] = React.useState<TargetEvent[] | null>(null);
  // something happened, if one of these is another
  const { name, state, last_operation: last, properties } = target;
  const mark = `${state} ${last?.begun_at} ${last?.outcome} ${properties?.shutdown_at}`;
  React.useEffect(() => {
    let isOn = true;
    manager.events(name).then(
      found => isOn && setEvents(found),
      () => undefined // it is being deleted, or the hub is away: the list stays as it is
    );
    return () => void (isOn = false);
  }, [manager, name, mark]);
  if (!events?.length) {
    return (
      <p className="jp-perijove-hint">
        {events ? trans.__('Nothing has happened yet.') : trans.__('Looking…')}
      </p>
    );
  }
  return (
    <table className="jp-perijove-table jp-perijove-events">
      <thead>
        <tr>
          <th>{trans.__('When')}</th>
          <th>{trans.__('What')}</th>
          <th>{trans.__('Took')}</th>
          <th>{trans.__('Why')}</th>
        </tr>
      </thead>
      <tbody>
        {[...events].reverse().map((event, at) => (
          <tr key={`${event.at} ${at}`}>
            <td title={new Date(event.at).toLocaleString()}>{ago(event.at, trans, now)}</td>
            <td>
              <div className="jp-perijove-figure">
                <Dot tone={tone(event)} label={outcome(event, trans)} />
                {eventText(event, trans)}
              </div>
            </td>
            <td className="jp-perijove-count">
              {typeof event.seconds === 'number' ? duration(event.seconds) : ''}
            </td>
            <td>{event.message}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function tone(event: TargetEvent): Tone {
  if (event.outcome === 'failed' || event.name === 'unreachable') {
    return 'error';
  }
  return event.outcome === 'succeeded' || event.name === 'back' ? 'ok' : 'waiting';
}

function outcome(event: TargetEvent, trans: TranslationBundle): string {
  switch (event.outcome) {
    case 'failed':
      return trans.__('failed');
    case 'succeeded':
      return trans.__('succeeded');
    default:
      return trans.__('noted');
  }
}

/** An event in the user's words. */
export function eventText(event: TargetEvent, trans: TranslationBundle): string {
  const failed = event.outcome === 'failed';
  switch (event.name) {
    case 'create':
      return trans.__('Created');
    case 'start':
      return failed ? trans.__('Start failed') : trans.__('Started');
    case 'stop':
      return failed ? trans.__('Stop failed') : trans.__('Stopped');
    case 'restart':
      return failed ? trans.__('Restart failed') : trans.__('Restarted');
    case 'scale':
      return failed ? trans.__('Scaling failed') : trans.__('Scaled');
    case 'unreachable':
      return trans.__('Out of reach');
    case 'back':
      return trans.__('In reach again');
    case 'keep running':
      return trans.__('Kept running');
    default:
      return event.name;
  }
}
