/** Creating and attaching compute, step by step: what, where and how large, whose key, how it goes. */
import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { HostKey, Target } from '../api';
import { Disclosure, formDialog, refusal } from '../components/dialog';
import { Field } from '../components/field';
import {
  ATTACHED,
  check,
  CREATED,
  definitionOf,
  EMPTY,
  fieldAtFault,
  fieldsOf,
  freeName,
  hasHosts,
  hostsOf,
  placesOf,
  type Choice,
  type Errors,
  type Place,
  type Values
} from './definition';
import { TargetField, type IPartProps } from './fields';
import { ComputeManager } from './manager';
import { Choices, Coming, KeyQuestions } from './steps';

type Step = 'what' | 'details' | 'key' | 'coming';

export interface IWizardOptions {
  manager: ComputeManager;
  trans: TranslationBundle;
  /** What is proposed: all, or what is there already. */
  attach?: boolean;
  /** What to make, if that is known already; another text than a choice is none. */
  choice?: unknown;
}

/** Ask for new compute and bring it up; null when it was dismissed before that. */
export function createCompute(options: IWizardOptions): Promise<Target | null> {
  const { attach, trans } = options;
  const title = attach ? trans.__('Attach compute') : trans.__('Create compute');
  return formDialog<Target>(title, done => <Wizard {...options} onDone={done} />);
}

function Wizard(
  props: IWizardOptions & { onDone(target: Target | null): void }
): React.ReactElement {
  const { manager, trans, onDone } = props;
  const choices = props.attach ? ATTACHED : [...CREATED, ...ATTACHED];
  const given = choices.find(known => known === props.choice);
  const nameOf = (choice: Choice) => freeName(choice, name => manager.get(name) !== undefined);
  const [choice, setChoice] = React.useState<Choice>(given ?? choices[0]);
  const [step, setStep] = React.useState<Step>(given ? 'details' : 'what');
  const [values, setValues] = React.useState<Values>(() => ({
    ...EMPTY,
    name: nameOf(choice),
    on: placesOf(choice)[0] ?? 'local',
    cpus: choice === 'machine' || choice === 'scheduler' ? '' : '1',
    max_nodes: String(manager.get('local')?.slots ?? 4)
  }));
  const [busy, setBusy] = React.useState(false);
  const [refused, setRefused] = React.useState<{ field: string | null; text: string } | null>(null);
  const [keys, setKeys] = React.useState<readonly HostKey[]>([]);
  const [agreed, setAgreed] = React.useState(false);
  const isOpen = React.useRef(true);
  React.useEffect(() => () => void (isOpen.current = false), []);
  const form = React.useRef<HTMLFormElement>(null);
  React.useEffect(() => {
    const first = 'input:checked, input, select, button[type=submit], button';
    const found = form.current?.querySelector<HTMLElement>(first);
    found?.focus();
    if (found instanceof HTMLInputElement) {
      found.select(); // typing puts another name in the place of the proposed one
    }
  }, [step]);

  const errors = check(choice, values, trans);
  const name = values.name.trim().toLowerCase();
  // said before anybody compares a host's key
  if (step === 'details' && manager.targets.some(target => target.name.toLowerCase() === name)) {
    errors.name = trans.__('there is one of this name already');
  }
  const isValid = !Object.keys(errors).length;
  const hosts = hostsOf(choice, values);
  for (const field of ['host', 'hosts', 'scheduler'] as const) {
    if (!values[field]) {
      delete errors[field]; // what has no default is not wrong before it is filled in
    }
  }
  if (refused?.field) {
    errors[refused.field] = refused.text;
  }
  const set = (change: Partial<Values>) => {
    setRefused(null);
    setKeys([]); // they were other hosts', perhaps
    setValues({ ...values, ...change });
  };
  const choose = (chosen: Choice) => {
    setChoice(chosen);
    const isSized = chosen === 'cluster' || chosen === 'instance';
    set({
      name: values.name === nameOf(choice) ? nameOf(chosen) : values.name,
      on: placesOf(chosen)[0] ?? 'local',
      cpus: isSized ? values.cpus || '1' : ''
    });
  };
  /** Back to the field, or to the step, that the hub refuses; said aside if nobody looks. */
  const refuse = (error: unknown) => {
    const { path, text } = refusal(error);
    if (!isOpen.current) {
      Notification.error(`${values.name}: ${text}`, { autoClose: false });
      return;
    }
    setBusy(false);
    setRefused({ field: fieldAtFault(path, choice, values.on), text });
    setStep('details');
  };
  const bringUp = async (confirmed: readonly HostKey[]) => {
    setStep('coming');
    const lines = confirmed.map(key => key.line);
    try {
      onDone(await manager.create(definitionOf(choice, values, lines)));
    } catch (error) {
      refuse(error);
    }
  };
  const askForKeys = async () => {
    setBusy(true);
    const jump = values.proxy_jump.trim() || null;
    const key = values.identity_file.trim() || null;
    try {
      const found = await Promise.all(hosts.map(host => manager.hostKey(host, jump, key)));
      setBusy(false);
      setKeys(found);
      setAgreed(false);
      if (found.every(key => key.known)) {
        await bringUp(found);
      } else {
        setStep('key');
      }
    } catch (error) {
      refuse(error);
    }
  };
  const next = () => {
    switch (step) {
      case 'what':
        return setStep('details');
      case 'details':
        return void (hosts.length ? askForKeys() : bringUp([]));
      case 'key':
        return void bringUp(keys);
      case 'coming':
        return onDone(null);
    }
  };
  const back: Record<Step, Step | null> = {
    what: null,
    details: given ? null : 'what',
    key: 'details',
    coming: null
  };
  const verb = choice === 'machine' || choice === 'scheduler' ? 'attach' : 'create';
  const part: IPartProps = { choice, values, errors, trans, set };
  const previous = back[step];
  return (
    <form
      ref={form}
      className="jp-perijove-form jp-perijove-wizard"
      onSubmit={event => {
        event.preventDefault();
        next();
      }}
    >
      {step === 'what' && (
        <Choices choices={choices} chosen={choice} trans={trans} onChoose={choose} />
      )}
      {step === 'details' && <Details {...part} />}
      {step === 'key' && (
        <KeyQuestions found={keys} agreed={agreed} trans={trans} onAgree={setAgreed} />
      )}
      {step === 'coming' && (
        <Coming name={values.name} found={keys} manager={manager} verb={verb} trans={trans} />
      )}
      {step === 'details' && refused && !refused.field && (
        <p className="jp-perijove-error" role="alert">
          {refused.text}
        </p>
      )}
      <footer>
        {previous && (
          <button
            type="button"
            className="jp-Button jp-mod-styled jp-mod-reject jp-perijove-back"
            onClick={() => setStep(previous)}
          >
            {trans.__('Back')}
          </button>
        )}
        {step !== 'coming' && (
          <button
            type="button"
            className="jp-Button jp-mod-styled jp-mod-reject"
            onClick={() => onDone(null)}
          >
            {trans.__('Cancel')}
          </button>
        )}
        <button
          type="submit"
          className="jp-Button jp-mod-styled jp-mod-accept"
          disabled={busy || (step === 'details' && !isValid) || (step === 'key' && !agreed)}
        >
          {step === 'coming' ? trans.__('Close') : submitLabel()}
        </button>
      </footer>
    </form>
  );

  function submitLabel(): string {
    if (busy) {
      return trans._n('Asking the host…', 'Asking the hosts…', hosts.length);
    }
    const isLast = step === 'key' || (step === 'details' && !hasHosts(choice, values.on));
    const last = verb === 'attach' ? trans.__('Attach') : trans.__('Create');
    return isLast ? last : trans.__('Next');
  }
}

function Details(part: IPartProps): React.ReactElement {
  const { choice, values, errors, trans, set } = part;
  const places = placesOf(choice);
  const { main, advanced } = fieldsOf(choice, values.on);
  const fields = (names: typeof main) =>
    names.map(field => <TargetField key={field} field={field} {...part} />);
  return (
    <>
      <TargetField field="name" {...part} />
      {places.length > 1 && (
        <Field
          label={trans.__('Runs on')}
          value={values.on}
          error={errors.on}
          options={[...places]}
          describe={place => placeText(place as Place, choice, trans)}
          onChange={on =>
            // a pool has one node on each host, unless something else is said
            set({
              on: on as Place,
              max_nodes: on === 'ssh' ? '' : values.max_nodes || EMPTY.max_nodes
            })
          }
        />
      )}
      {fields(main)}
      <Disclosure label={trans.__('Advanced')} show={isWrong(advanced, errors)}>
        {fields(advanced)}
      </Disclosure>
    </>
  );
}

function isWrong(fields: readonly string[], errors: Errors): boolean {
  return Object.keys(errors).some(error => fields.includes(error.split('.')[0]));
}

function placeText(place: Place, choice: Choice, trans: TranslationBundle): string {
  switch (place) {
    case 'local':
      return trans.__('this machine');
    case 'ssh':
      return choice === 'cluster' ? trans.__('hosts over SSH') : trans.__('a host over SSH');
    case 'container':
      return trans.__('a container (Podman or Docker)');
    case 'slurm':
      return trans.__('Slurm');
  }
}
