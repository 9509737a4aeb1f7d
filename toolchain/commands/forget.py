"""`./doit forget STAGE…`: doit's forget, over the store: the stage's present result is dropped."""

from __future__ import annotations

from toolchain.commands import IngotCommand, chosen_stages
from toolchain.errors import UserError
from toolchain.plugin import Session


class Forget(IngotCommand):
    """Drops results; the stages run again at the next build."""

    name = "forget"
    doc_purpose = "drop the stored result of a stage, so that it runs again"
    doc_usage = "STAGE ..."
    takes_names = True

    def go(self, current: Session, names: list[str]) -> int:
        """Says for each stage whether there was something to forget."""
        if not names:
            raise UserError("forget needs the name of a stage", "./doit list names them all")
        tasks = {task.name for task in self.task_list} - {name.partition(":")[0] for name in current.graph.stages}
        others = [name for name in names if name in tasks and not current.is_stage(name)]
        for name in others:  # a task of the project's own: what doit's database says of it
            self.dep_manager.remove(name)
            print(f"forgot {name}")
        self.dep_manager.close()
        names = [name for name in names if name not in others]
        for one in chosen_stages(current, names) if names else ():
            if one.name in names or one.name.partition(":")[0] in names:
                print(f"forgot {one.name}" if current.graph.forget(one) else f"{one.name} has no stored result")
        return 0
