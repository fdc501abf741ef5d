/** Something stands in place of what cannot be drawn, and the rest of the document stays. */
import * as React from 'react';

interface IProps {
  instead: React.ReactNode;
  children: React.ReactNode;
}

export class Boundary extends React.Component<IProps, { hasFailed: boolean }> {
  static getDerivedStateFromError(): { hasFailed: boolean } {
    return { hasFailed: true };
  }

  state = { hasFailed: false };

  render(): React.ReactNode {
    return this.state.hasFailed ? this.props.instead : this.props.children;
  }
}
