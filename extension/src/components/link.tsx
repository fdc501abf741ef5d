/** A link to another document: a button, as the keyboard reaches only those and addresses. */
import * as React from 'react';

export function Link(props: {
  title?: string;
  children: React.ReactNode;
  onOpen(): void;
}): React.ReactElement {
  return (
    <button className="jp-perijove-joblink" title={props.title} onClick={props.onOpen}>
      {props.children}
    </button>
  );
}
