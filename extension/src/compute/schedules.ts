/** Times at which an instance is started or stopped: as rows to fill in, and as cron texts. */
import { TranslationBundle } from '@jupyterlab/translation';

import type { PowerSchedule } from '../api';

/** Monday first; cron's names. */
export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const TIME = /^([01]?\d|2[0-3]):([0-5]\d)$/;

export interface IRule {
  action: 'start' | 'stop';
  /** `hh:mm`. */
  time: string;
  /** One for each of `DAYS`. */
  days: readonly boolean[];
}

export const WEEKDAYS = DAYS.map((_, day) => day < 5);

/** What is wrong with the rule; null: nothing. */
export function ruleError(rule: IRule, trans: TranslationBundle): string | null {
  if (!TIME.test(rule.time)) {
    return trans.__('a time, like 19:00');
  }
  return rule.days.some(Boolean) ? null : trans.__('choose a day');
}

/** `0 19 * * mon-fri`, of a rule with nothing wrong. */
export function cronOf(rule: IRule): string {
  const [hour, minute] = rule.time.split(':').map(Number);
  return `${minute} ${hour} * * ${daysOf(rule.days)}`;
}

/** What is sent: at the times of the user's own clock, wherever the hub is. */
export function scheduleOf(rule: IRule): PowerSchedule {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return { action: rule.action, cron: cronOf(rule), ...(timeZone && { timezone: timeZone }) };
}

/** `stop at 19:00, mon-fri`; another cron text than ours is shown as it is. */
export function scheduleText(schedule: PowerSchedule, trans: TranslationBundle): string {
  const found = /^(\d+) (\d+) \* \* (\S+)$/.exec(schedule.cron);
  const at = found && `${found[2].padStart(2, '0')}:${found[1].padStart(2, '0')}`;
  const days = found?.[3] === '*' ? trans.__('every day') : found?.[3].replace(',', ', ');
  const zone = schedule.timezone ? ` (${schedule.timezone})` : '';
  const when = found ? `${at}, ${days}` : schedule.cron;
  return schedule.action === 'start'
    ? trans.__('start at %1', when + zone)
    : trans.__('stop at %1', when + zone);
}

/** Days as cron has them: runs of three and more as ranges. */
function daysOf(chosen: readonly boolean[]): string {
  if (chosen.every(Boolean)) {
    return '*';
  }
  const parts: string[] = [];
  for (let from = 0; from < DAYS.length; from++) {
    if (!chosen[from]) {
      continue;
    }
    let to = from;
    while (chosen[to + 1]) {
      to++;
    }
    parts.push(...(to - from > 1 ? [`${DAYS[from]}-${DAYS[to]}`] : DAYS.slice(from, to + 1)));
    from = to;
  }
  return parts.join(',');
}
