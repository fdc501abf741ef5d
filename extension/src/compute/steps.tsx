/** The steps of the wizard beside its form. */
import { TranslationBundle } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { HostKey } from '../api';
import { attachedIcon, clusterIcon, instanceIcon, machineIcon } from '../components/icons';
import { useSignal } from '../components/signal';
import type { Choice } from './definition';
import { ComputeManager, currentStep } from './manager';

/** What there is to choose, as cards; arrow keys go from one to the next. */
export function Choices(props: {
  choices: readonly Choice[];
  chosen: Choice;
  trans: TranslationBundle;
  onChoose(choice: Choice): void;
}): React.ReactElement {
  const { choices, chosen, trans } = props;
  return (
    <div className="jp-perijove-choices" role="radiogroup" aria-label={trans.__('What')}>
      {choices.map(choice => {
        const { icon, label, text } = card(choice, trans);
        return (
          <label key={choice} className={choice === chosen ? 'jp-mod-selected' : ''}>
            <input
              type="radio"
              name="perijove-choice"
              checked={choice === chosen}
              onChange={() => props.onChoose(choice)}
            />
            <icon.react tag="span" width="22px" height="22px" />
            <span>
              <b>{label}</b>
              <small>{text}</small>
            </span>
          </label>
        );
      })}
    </div>
  );
}

function card(
  choice: Choice,
  trans: TranslationBundle
): { icon: LabIcon; label: string; text: string } {
  switch (choice) {
    case 'instance':
      return {
        icon: instanceIcon,
        label: trans.__('Compute instance'),
        text: trans.__('One machine that stays, for kernels, terminals and jobs.')
      };
    case 'cluster':
      return {
        icon: clusterIcon,
        label: trans.__('Training cluster'),
        text: trans.__('Nodes that come as jobs wait, and leave when idle.')
      };
    case 'machine':
      return {
        icon: machineIcon,
        label: trans.__('Attach a machine over SSH'),
        text: trans.__('A machine you can log in to, used as it is.')
      };
    case 'scheduler':
      return {
        icon: attachedIcon,
        label: trans.__('Attach a Dask scheduler'),
        text: trans.__('A Dask cluster that runs already.')
      };
  }
}

/** The keys of hosts that are not known yet, to be compared before anything is sent to them. */
export function KeyQuestions(props: {
  found: readonly HostKey[];
  agreed: boolean;
  trans: TranslationBundle;
  onAgree(agreed: boolean): void;
}): React.ReactElement {
  const { trans } = props;
  const asked = props.found.filter(key => !key.known);
  const kinds = [...new Set(asked.map(key => keyKind(key.type)))];
  return (
    <>
      {asked.map(key => (
        <React.Fragment key={key.host}>
          <p>{trans.__('%1 is not known yet. It shows this key:', key.host)}</p>
          <p className="jp-perijove-fingerprint">
            <code>{key.fingerprint}</code>
            <small>{key.type}</small>
          </p>
        </React.Fragment>
      ))}
      <p className="jp-perijove-note">
        {trans._n(
          'Compare it with what the machine’s owner says, or look at the machine itself:',
          'Compare them with what the machines’ owner says, or look at the machines themselves:',
          asked.length
        )}{' '}
        {kinds.map(kind => (
          <code key={kind}>{`ssh-keygen -lf /etc/ssh/ssh_host_${kind}_key.pub`}</code>
        ))}
      </p>
      <label className="jp-perijove-check">
        <input
          type="checkbox"
          checked={props.agreed}
          onChange={event => props.onAgree(event.target.checked)}
        />
        {trans._n(
          'The fingerprint is right. Another key is refused from now on.',
          'The fingerprints are right. Other keys are refused from now on.',
          asked.length
        )}
      </label>
    </>
  );
}

/** `ed25519` of `ssh-ed25519`, as key files are called. */
function keyKind(type: string): string {
  return /ed25519|ecdsa|rsa/.exec(type)?.[0] ?? 'ed25519';
}

/** It comes up: what the hub does just now. */
export function Coming(props: {
  name: string;
  /** The keys of the hosts, if there are any. */
  found: readonly HostKey[];
  manager: ComputeManager;
  verb: 'create' | 'attach';
  trans: TranslationBundle;
}): React.ReactElement {
  const { name, found, manager, trans } = props;
  useSignal(manager.changed);
  const target = manager.get(name);
  const title =
    props.verb === 'attach' ? trans.__('Attaching %1…', name) : trans.__('Creating %1…', name);
  return (
    <div className="jp-perijove-coming" role="status">
      <progress aria-label={title} />
      <p>
        <b>{title}</b>
      </p>
      <p className="jp-perijove-note">
        {(target && currentStep(target)) || trans.__('Coming up…')}
      </p>
      {found
        .filter(key => key.known)
        .map(key => (
          <p key={key.host} className="jp-perijove-note">
            {trans.__(
              'The key of %1 is the one in your known_hosts (%2).',
              key.host,
              key.fingerprint
            )}
          </p>
        ))}
      <p className="jp-perijove-note">
        {trans.__('You need not wait: the list of compute shows how it goes.')}
      </p>
    </div>
  );
}
