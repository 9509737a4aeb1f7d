@echo off
rem ./doit for Windows: boots a finished image natively, hands the rest to WSL2 or Docker.
rem The decisions are in toolchain\windows.py; any Python from 3.10 on runs it.
setlocal
set "PYTHONUTF8=1"
where py >nul 2>nul
if not errorlevel 1 (
    py -3 "%~dp0toolchain\windows.py" %*
    goto :done
)
where python >nul 2>nul
if not errorlevel 1 (
    python "%~dp0toolchain\windows.py" %*
    goto :done
)
echo error: no Python on this machine 1>&2
echo hint: winget install Python.Python.3.12 1>&2
exit /b 1
:done
exit /b %errorlevel%
