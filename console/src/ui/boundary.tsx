import { Component, type ReactNode } from "react";
import { ProblemNote } from "./frame";

/** Keeps the frame when a page fails, and starts anew when one goes elsewhere. */
export class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  #clear = () => this.state.error && this.setState({ error: null });

  override componentDidMount(): void {
    addEventListener("hashchange", this.#clear);
  }

  override componentWillUnmount(): void {
    removeEventListener("hashchange", this.#clear);
  }

  override render(): ReactNode {
    return this.state.error ? <ProblemNote problem={this.state.error} retry={this.#clear} /> : this.props.children;
  }
}
