import { createTheme, type MantineColorsTuple, type ModalProps, type NotificationProps, Tooltip } from "@mantine/core";

/** Grays for the dark scheme, from text to the deepest ground: darker and cooler than Mantine's. */
const DARK: MantineColorsTuple = ["#dfe2e5", "#a6adb5", "#868e97", "#5c636b", "#33383e", "#2a2e33", "#202327", "#17191c", "#111315", "#0b0c0e"];

/** Mantine's defaults, in teal, a little denser, and dark enough for text on coloured ground (WCAG AA). */
export const theme = createTheme({
  primaryColor: "teal",
  colors: { dark: DARK },
  primaryShade: { light: 8, dark: 7 },
  autoContrast: true,
  defaultRadius: "sm",
  fontFamily: '"Inter Variable", system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { fontWeight: "600" },
  components: {
    Tooltip: Tooltip.extend({ defaultProps: { withArrow: true, multiline: true, maw: 420, openDelay: 200, events: { hover: true, focus: true, touch: false } } }),
    // by name alone: naming the components would bring them into the start
    Modal: { defaultProps: { closeButtonProps: { "aria-label": "Close" } } satisfies Partial<ModalProps> },
    Notification: { defaultProps: { closeButtonProps: { "aria-label": "Close" } } satisfies Partial<NotificationProps> },
  },
});
