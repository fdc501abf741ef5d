/** What MLflow lists, in a section of the left panel: to filter and to walk through, or why not. */
import { TranslationBundle } from '@jupyterlab/translation';
import { FilterBox, historyIcon, ToolbarButton } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import type { Listing } from '../api';
import { Loading } from './loading';
import { type IRowListProps, RowList } from './rowlist';
import { Section } from './section';
import { useSignal } from './signal';

/** With fewer there is nothing to search. */
const MANY = 8;

export interface IListingProps<T, R> extends Omit<IRowListProps<R>, 'items'> {
  listing: Listing<T>;
  /** The rows of what is listed, which may be more than one for each. */
  rowsOf(items: readonly T[]): readonly R[];
  /** What the filter looks into. */
  textOf(item: T): string;
  placeholder: string;
  /** What is said when there is none. */
  none: string;
  /** What is said when the filter leaves none. */
  noMatch: string;
  trans: TranslationBundle;
}

export function ListingView<T, R>(props: IListingProps<T, R>): React.ReactElement {
  const { listing, textOf, trans } = props;
  useSignal(listing.changed);
  const [filter, setFilter] = React.useState('');
  React.useEffect(() => void listing.refresh(), [listing]);
  const { items, error, isReady } = listing;
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = words.length
    ? items.filter(item => words.every(word => textOf(item).toLowerCase().includes(word)))
    : items;
  return (
    <>
      {error && (
        <div className="jp-perijove-broken" role="alert">
          <p>{error.text}</p>
          <button className="jp-Button jp-mod-styled" onClick={() => void listing.refresh()}>
            {trans.__('Try again')}
          </button>
        </div>
      )}
      {!isReady && !error && <Loading lines={1} trans={trans} />}
      {items.length > MANY && (
        <div className="jp-perijove-filter">
          <FilterBox
            placeholder={props.placeholder}
            updateFilter={(_, query) => setFilter(query ?? '')}
            useFuzzyFilter={false}
            caseSensitive={false}
            showIcon={true}
          />
        </div>
      )}
      {isReady && !shown.length && (
        <p className="jp-perijove-hint">{items.length ? props.noMatch : props.none}</p>
      )}
      {shown.length > 0 && <RowList {...props} items={props.rowsOf(shown)} />}
    </>
  );
}

/** A section of such a list: how many there are, what is put away too, and another one. */
export function listingSection<T>(options: {
  listing: Listing<T>;
  label: string;
  /** What the button does that shows what is put away. */
  showAll: string;
  create: Widget;
  body: React.ReactElement;
}): Section {
  const { listing, label, showAll, create, body } = options;
  return new Section({
    label,
    changed: listing.changed,
    count: () => (listing.isReady ? String(listing.items.length) : ''),
    tools: { all: showAllButton(listing, showAll), create },
    body
  });
}

function showAllButton<T>(listing: Listing<T>, tooltip: string): ToolbarButton {
  const all = new ToolbarButton({
    icon: historyIcon,
    tooltip,
    onClick: () => {
      listing.showAll = !listing.showAll;
      all.pressed = listing.showAll;
    }
  });
  return all;
}
