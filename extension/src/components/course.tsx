/** A figure of the last minutes: what it is called, what it is now, and its course. */
import * as React from 'react';

import { Spark, type ISparkProps } from './spark';

export function Course(props: ISparkProps & { name: string; value: string }): React.ReactElement {
  const { name, value, ...spark } = props;
  return (
    <figure>
      <figcaption>
        <span>{name}</span>
        <b>{value}</b>
      </figcaption>
      <Spark {...spark} />
    </figure>
  );
}
