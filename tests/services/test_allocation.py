from domain.kinds import AllocationStatus
from tests.builders import *


async def test_smoke(database, caller, engine):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 3, ("CHAIR","YORK"): 2})
    o = await placed(database, caller, {"CHAIR": 4})
    r = await allocated(database, caller, o, key="k")
    print(r)
    print(await quantities_now(database, "CHAIR"), await claims_now(database, o))
    await counted(database, caller, {"CHAIR": 1})
    print(await status_now(database, o))
    print(await events_now(engine))
    assert r == await allocated(database, caller, o, key="k")
