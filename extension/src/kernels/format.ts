/** How a kernel's use of its machine is put into few words. */
import type { HostedKernel } from '../api';
import { sizeText } from '../components/size';

/** `12 %`, `340 MiB`, `GPU 0`. */
export function usage(kernel: HostedKernel | undefined): string[] {
  const parts: string[] = [];
  if (kernel?.cpu_percent !== null && kernel?.cpu_percent !== undefined) {
    parts.push(`${Math.round(kernel.cpu_percent)} %`);
  }
  if (kernel?.memory_used) {
    parts.push(sizeText(kernel.memory_used));
  }
  if (kernel?.gpus?.length) {
    parts.push(`GPU ${kernel.gpus.join(', ')}`);
  }
  return parts;
}
