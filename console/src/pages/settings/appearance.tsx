import { Radio, Stack, useMantineColorScheme } from "@mantine/core";

const SCHEMES = [
  { value: "auto", label: "As this machine" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
] as const;

/** Light or dark, for this browser. */
export function Appearance() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Radio.Group label="Theme" description="Kept in this browser." value={colorScheme} onChange={(value) => setColorScheme(value as typeof colorScheme)}>
      <Stack gap="xs" mt="sm">
        {SCHEMES.map(({ value, label }) => (
          <Radio key={value} value={value} label={label} />
        ))}
      </Stack>
    </Radio.Group>
  );
}
