/** Names and values, one below the other; what has no value is left out. */
import * as React from 'react';

export type Rows = [string, React.ReactNode][];

export function Details({ rows }: { rows: Rows }): React.ReactElement {
  return (
    <dl className="jp-perijove-details">
      {rows
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value]) => (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </React.Fragment>
        ))}
    </dl>
  );
}
