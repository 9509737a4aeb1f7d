#include "secure_boot.h"

bool secure_boot_on(EFI_SYSTEM_TABLE *st) {
    static CHAR16 name[] = L"SecureBoot";
    EFI_GUID guid = EFI_GLOBAL_VARIABLE;
    UINT8 value = 0;
    UINTN size = sizeof(value);

    return !EFI_ERROR(st->RuntimeServices->GetVariable(name, &guid, NULL, &size, &value)) &&
           size == sizeof(value) && value == 1;
}
