/** The reader's time zone: days are theirs. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

function text(day: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

export function today(): string {
  return text(new Date());
}

export function daysBefore(count: number): string {
  const day = new Date();
  day.setDate(day.getDate() - count);
  return text(day);
}
