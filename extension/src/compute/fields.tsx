/** The fields of new targets: their words, and the rows of schedules. */
import { TranslationBundle } from '@jupyterlab/translation';
import { addIcon, closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Field, type IFieldProps } from '../components/field';
import { Select } from '../components/select';
import type { Choice, Errors, Field as FieldName, Values } from './definition';
import { DAYS, WEEKDAYS, type IRule } from './schedules';

export interface IPartProps {
  choice: Choice;
  values: Values;
  errors: Errors;
  trans: TranslationBundle;
  set(change: Partial<Values>): void;
}

export function TargetField(props: IPartProps & { field: FieldName }): React.ReactElement {
  const { field, values, errors, set } = props;
  if (field === 'schedules') {
    return <Schedules {...props} />;
  }
  return (
    <Field
      {...words(props, field)}
      value={values[field]}
      error={errors[field]}
      onChange={text => set({ [field]: text })}
    />
  );
}

/** What a field is called, and what is said of it. */
function words(
  { choice, values, trans }: IPartProps,
  field: Exclude<FieldName, 'schedules'>
): Pick<IFieldProps, 'label' | 'hint' | 'note' | 'placeholder' | 'multiline'> {
  const perNode = choice === 'cluster' ? trans.__('per node') : undefined;
  switch (field) {
    case 'name':
      return { label: trans.__('Name') };
    case 'on':
      return { label: trans.__('Runs on') };
    case 'host':
      return {
        label: trans.__('Host'),
        placeholder: trans.__('[user@]host[:port]'),
        note: trans.__('A name of ~/.ssh/config does too.')
      };
    case 'hosts':
      return {
        label: trans.__('Hosts'),
        placeholder: trans.__('[user@]host[:port]'),
        note: trans.__('One a line; names of ~/.ssh/config do too. Each takes one node.'),
        multiline: true
      };
    case 'identity_file':
      return {
        label: trans.__('Private key'),
        placeholder: trans.__('as ssh chooses: agent, then ~/.ssh')
      };
    case 'proxy_jump':
      return {
        label: trans.__('Jump host'),
        placeholder: trans.__('none'),
        note:
          choice === 'cluster'
            ? trans.__('The hosts are reached through this one.')
            : trans.__('The host is reached through this one.')
      };
    case 'image':
      return { label: trans.__('Image'), placeholder: trans.__('the default one') };
    case 'scheduler':
      return { label: trans.__('Scheduler'), placeholder: trans.__('tls://host:8786') };
    case 'certificates':
      return {
        label: trans.__('Certificates'),
        placeholder: trans.__('folder'),
        note: trans.__('With the scheduler’s ca.pem, cert.pem and key.pem.')
      };
    case 'partition':
      return { label: trans.__('Partition'), placeholder: trans.__('Slurm’s default') };
    case 'account':
      return { label: trans.__('Account'), placeholder: trans.__('your default') };
    case 'walltime':
      return {
        label: trans.__('Walltime'),
        placeholder: trans.__('Slurm’s default, or 08:00:00'),
        note: trans.__('Slurm ends it after this time.')
      };
    case 'directives':
      return {
        label: trans.__('Directives'),
        placeholder: trans.__('--constraint=fast'),
        note: trans.__('More options of sbatch, one a line.'),
        multiline: true
      };
    case 'interface':
      return {
        label: trans.__('Network'),
        placeholder: trans.__('found out, or eth0'),
        note: trans.__('The interface of this machine that the nodes reach.')
      };
    case 'cpus':
      return choice === 'machine' || choice === 'scheduler'
        ? { label: trans.__('Jobs at once'), placeholder: trans.__('as many as it has CPUs') }
        : { label: trans.__('CPUs'), hint: perNode, placeholder: '1' };
    case 'memory':
      return {
        label: trans.__('Memory'),
        hint: perNode,
        placeholder: trans.__('not limited, or a size such as 4 GiB')
      };
    case 'gpus':
      return { label: trans.__('GPUs'), hint: perNode, placeholder: '0' };
    case 'min_nodes':
      return {
        label: trans.__('Min nodes'),
        note: trans.__('Kept up also when no job waits.')
      };
    case 'max_nodes':
      return {
        label: trans.__('Max nodes'),
        placeholder: values.on === 'ssh' ? trans.__('one on each host') : undefined,
        note: trans.__('Nodes come as jobs wait, and leave when idle.')
      };
    case 'idle_seconds_before_scale_down':
      return {
        label: trans.__('Idle time'),
        hint: trans.__('seconds'),
        note: trans.__('A node leaves after it has been idle for so long.')
      };
    case 'idle_minutes_before_shutdown':
      return {
        label: trans.__('Stop when idle'),
        hint: trans.__('minutes'),
        placeholder: trans.__('never'),
        note: trans.__('Idle: no kernel, terminal, job or connection.')
      };
  }
}

function Schedules({ values, errors, trans, set }: IPartProps): React.ReactElement {
  const { schedules } = values;
  const put = (at: number, change: Partial<IRule>) =>
    set({ schedules: schedules.map((rule, i) => (i === at ? { ...rule, ...change } : rule)) });
  const add = () => {
    const action = schedules.some(rule => rule.action === 'stop') ? 'start' : 'stop';
    const time = action === 'stop' ? '19:00' : '08:00';
    set({ schedules: [...schedules, { action, time, days: WEEKDAYS }] });
  };
  return (
    <div className="jp-perijove-field" role="group" aria-label={trans.__('Schedule')}>
      <span>{trans.__('Schedule')}</span>
      <div>
        {schedules.map((rule, at) => (
          <Rule
            key={at}
            rule={rule}
            error={errors[`schedules.${at}`]}
            trans={trans}
            onChange={change => put(at, change)}
            onRemove={() => set({ schedules: schedules.filter((_, i) => i !== at) })}
          />
        ))}
        <button type="button" className="jp-perijove-add" onClick={add}>
          <addIcon.react tag="span" width="12px" height="12px" />
          {trans.__('Start or stop at a set time')}
        </button>
        {errors.schedules && (
          <p className="jp-perijove-error" role="alert">
            {errors.schedules}
          </p>
        )}
      </div>
    </div>
  );
}

function Rule(props: {
  rule: IRule;
  error?: string;
  trans: TranslationBundle;
  onChange(change: Partial<IRule>): void;
  onRemove(): void;
}): React.ReactElement {
  const { rule, error, trans, onChange } = props;
  const remove = trans.__('Remove');
  return (
    <div className="jp-perijove-rule">
      <div>
        <Select
          aria-label={trans.__('What to do')}
          value={rule.action}
          onChange={event => onChange({ action: event.target.value as IRule['action'] })}
        >
          <option value="stop">{trans.__('Stop at')}</option>
          <option value="start">{trans.__('Start at')}</option>
        </Select>
        <input
          className={`jp-mod-styled${error ? ' jp-mod-error' : ''}`}
          aria-label={trans.__('Time')}
          aria-invalid={Boolean(error)}
          value={rule.time}
          spellCheck={false}
          onChange={event => onChange({ time: event.target.value.trim() })}
        />
        <span className="jp-perijove-days" role="group" aria-label={trans.__('Days')}>
          {dayNames().map((day, index) => (
            <button
              key={day.long}
              type="button"
              title={day.long}
              aria-label={day.long}
              aria-pressed={rule.days[index]}
              onClick={() => onChange({ days: rule.days.map((on, i) => (i === index ? !on : on)) })}
            >
              {day.short}
            </button>
          ))}
        </span>
        <button
          type="button"
          className="jp-perijove-row-action"
          title={remove}
          aria-label={remove}
          onClick={props.onRemove}
        >
          <closeIcon.react tag="span" width="14px" height="14px" />
        </button>
      </div>
      {error && (
        <p className="jp-perijove-error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

/** Monday first, in the user's language. */
function dayNames(): { short: string; long: string }[] {
  return DAYS.map((_, day) => {
    const date = new Date(Date.UTC(2024, 0, 1 + day)); // a Monday
    const name = (weekday: 'narrow' | 'long') =>
      date.toLocaleDateString(undefined, { weekday, timeZone: 'UTC' });
    return { short: name('narrow'), long: name('long') };
  });
}
